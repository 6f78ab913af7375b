# One image for the edge and the handlers; the command chooses: `edge` or `handlers`, each with
# `--host 0.0.0.0`, or `register`. The target `local-cloud` is for development: the doubles of
# hosted vendors, which the platform's own image does not carry.
#
# Pin the base in a release: --build-arg BASE=docker.io/library/python:3.13-slim@sha256:...
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS dependencies
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
COPY requirements/runtime.txt /build/
# Wheels only, so that no compiler is needed, and every one with a hash. The environment has no
# pip of its own.
RUN python3 -m venv --without-pip /opt/venv \
    && python3 -m pip --python /opt/venv/bin/python install \
        --no-compile --no-deps --only-binary=:all: --require-hashes -r /build/runtime.txt

FROM ${BASE} AS runtime
# The root file system is meant to be read-only, so Python never tries to write its caches.
ENV PATH=/opt/venv/bin:${PATH} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Handlers and edges on one host meet here, on the bus: a socket that belongs to this user alone.
# A key file of a service account is mounted at the second.
RUN install -d -m 0700 -o 10001 -g 10001 /run/yocaso /run/identity
COPY --from=dependencies /opt/venv /opt/venv
COPY deploy/image/healthcheck.py /usr/local/bin/healthcheck
WORKDIR /opt/yocaso
COPY errors errors
COPY chassis chassis
# A number and not a name: an orchestrator can see that it is not root.
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["healthcheck"]

FROM runtime AS local-cloud
COPY devstack devstack
EXPOSE 8090
ENTRYPOINT ["python", "-m", "devstack.cloud"]
CMD ["--host", "0.0.0.0", "--port", "8090"]

FROM runtime AS platform
COPY services services
COPY actors actors
COPY workflows workflows
COPY gateways gateways
COPY edge edge
COPY app app
EXPOSE 8000 9080
ENTRYPOINT ["python", "-m", "app"]
CMD ["--help"]
