"""What `gunicorn sequra_bc.wsgi` finds by itself in this folder; the shares
of `sequra_bc.bulkheads` and its stuck bodies add up to fewer than these threads."""

worker_class = "gthread"
workers = 2
threads = 320
worker_connections = 1000
timeout = 60
keepalive = 5
