# syntax=docker/dockerfile:1

# chunkwise alone: the database is another container (see docker-compose.yml).

FROM rust:1.92-slim-bookworm AS build
WORKDIR /src
# ring and blake3 compile C and assembly.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY . .
# The caches make a second build short; what they hold is no part of the image, so the program is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin chunkwise && cp target/release/chunkwise /chunkwise

FROM debian:bookworm-slim
# Root certificates, for databases that are reached over TLS.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/chunkwise chunkwise
COPY --from=build /chunkwise /usr/local/bin/chunkwise
USER chunkwise
WORKDIR /var/lib/chunkwise
EXPOSE 8080 9009 4242
# Within a container loopback is the container's own, so it listens on all addresses; what of it the world sees is decided
# by how the port is published. There are no tokens yet: publish it to 127.0.0.1 (-p 127.0.0.1:8080:8080), never to all.
ENV CHUNKWISE_HTTP__LISTEN=0.0.0.0:8080 \
    CHUNKWISE_LINE_PROTOCOL__LISTEN=0.0.0.0:9009 \
    CHUNKWISE_OPENTSDB__LISTEN=0.0.0.0:4242 \
    CHUNKWISE_HTTP__INSECURE_LISTEN=true
STOPSIGNAL SIGTERM
ENTRYPOINT ["chunkwise"]
CMD ["up"]
