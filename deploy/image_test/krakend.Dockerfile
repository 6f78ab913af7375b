# Stands where docker.io/library/krakend stands in compose.yaml, where registries cannot be reached.
ARG BASE
FROM ${BASE}
# hadolint ignore=DL3008
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/*
COPY krakend_stand_in.py /usr/local/bin/krakend
ENTRYPOINT ["/usr/local/bin/krakend"]
