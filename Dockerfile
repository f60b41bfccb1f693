# The same Python that the tests run on, by its digest; the lock pins every package by hash.
FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.lock /tmp/requirements.lock
RUN python -m venv /venv \
 && /venv/bin/pip install --require-hashes --requirement /tmp/requirements.lock

FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d AS product
ARG REVISION=unknown
LABEL org.opencontainers.image.title="SeQura for BigCommerce" \
      org.opencontainers.image.description="SeQura, buy now pay later, in BigCommerce stores" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="$REVISION"
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=sequra_bc.settings
RUN groupadd --gid 10001 app && useradd --uid 10001 --gid app --no-create-home --home-dir /app app
WORKDIR /app
COPY --from=packages /venv /venv
COPY . .
# The file system is read-only later: without bytecode each start would compile everything anew.
RUN python -m compileall -q .
# Nothing of this environment stays in the image; the values only let the settings load.
RUN SECRET_KEY=only-while-the-image-is-built-0123456789abcdef0123456789 \
    ENCRYPTION_KEYS=b25seS13aGlsZS10aGUtaW1hZ2UtaXMtYnVpbHQtMDE= \
    BIGCOMMERCE_CLIENT_ID=build BIGCOMMERCE_CLIENT_SECRET=only-while-the-image-is-built \
    python manage.py collectstatic --noinput
USER 10001:10001

# Simulated BigCommerce and SeQura, to try the app out: docker-compose.yml's profile "sandbox".
FROM product AS sandbox
COPY --from=sandbox-files . sandbox/
EXPOSE 8100
CMD ["python", "-m", "sandbox", "--host", "0.0.0.0", "--port", "8100"]

FROM product AS app
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "320", "--backpressure", "1024", "--no-ws", \
     "--http1-header-read-timeout", "5000", \
     "--workers-kill-timeout", "30", "--respawn-failed-workers", \
     "--log-config", "sequra_bc/granian.json", \
     "sequra_bc.wsgi:application"]
