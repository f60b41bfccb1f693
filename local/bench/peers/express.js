// A peer: Express and pg. It commits a webhook's row and answers 204.
const crypto = require("node:crypto");
const express = require("express");
const { Pool } = require("pg");

const SECRET = Buffer.from(process.env.PEER_SECRET);
const INSERT = {
  name: "insert",
  text:
    "INSERT INTO bench_webhook (scope, hash, payload) VALUES ($1, $2, $3)" +
    " ON CONFLICT (hash) DO NOTHING",
};
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 8 });
const app = express();
const keepBody = (request, _response, body) => {
  request.rawBody = body;
};
app.use(express.json({ verify: keepBody }));

app.post("/webhook", async (request, response) => {
  const given = Buffer.from(request.headers["x-webhook-secret"] || "");
  if (given.length !== SECRET.length || !crypto.timingSafeEqual(given, SECRET)) {
    return response.sendStatus(401);
  }
  crypto.createHmac("sha256", SECRET).update(request.rawBody).digest();
  const { scope, hash } = request.body;
  await pool.query({ ...INSERT, values: [scope, hash, request.rawBody.toString()] });
  return response.status(204).end();
});

app.listen(Number(process.env.PORT), "127.0.0.1");
