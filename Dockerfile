# One image for all roles: the drip binary, and what TLS needs.
#
#   docker build -t drip .                                builds the binary too; the first time takes a while
#   docker build -t drip --target prebuilt -f Dockerfile DIR    takes the binary DIR/drip, built for Debian 12 or later

FROM debian:bookworm-slim AS base
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
# A volume that is mounted at /data for the first time belongs to this user.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin drip && install -d -o drip -g drip -m 700 /data
ENV DRIP_DATA_DIR=/data
USER drip
EXPOSE 8377
# Drip stops in order on SIGTERM, within 15 seconds.
STOPSIGNAL SIGTERM
ENTRYPOINT ["drip"]
CMD ["--help"]

FROM base AS prebuilt
COPY drip /usr/local/bin/drip

# It has the C compiler that SQLite, the allocator and the cryptography of TLS need.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package drip

FROM base AS drip
COPY --from=build /src/target/release/drip /usr/local/bin/drip
