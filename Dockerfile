# Both programs in one image: the api by default, a worker with the command "worker".
FROM rust:1-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --package api --package worker \
    && mkdir /programs \
    && cp target/release/api target/release/worker /programs/

FROM debian:bookworm-slim
# curl asks the health endpoints; the certificates are for TLS to databases.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /app --create-home simulator
COPY --from=build /programs/ /usr/local/bin/
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/simulator/
USER simulator
WORKDIR /app
# The folder of the embedded mode's SQLite file and signing key.
RUN mkdir data
VOLUME /app/data
# Large simulations read large tables at random, which huge pages make faster; glibc asks for them when told so here.
ENV BIND=0.0.0.0:8000 WORKER_BIND=0.0.0.0:8001 LOG_FORMAT=json GLIBC_TUNABLES=glibc.malloc.hugetlb=1
EXPOSE 8000 8001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD curl --silent --fail http://127.0.0.1:8000/healthz || curl --silent --fail http://127.0.0.1:8001/healthz
CMD ["api"]
