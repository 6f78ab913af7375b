# A stand-in for docker.io/restatedev/restate where registries cannot be reached: the same server,
# from the npm package, on Debian with curl, which is what the real image has.
ARG BASE
FROM ${BASE}
# hadolint ignore=DL3008
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends curl \
    && rm -rf /var/lib/apt/lists/*
COPY restate-server /usr/local/bin/restate-server
ENTRYPOINT ["/usr/local/bin/restate-server"]
