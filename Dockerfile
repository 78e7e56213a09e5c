# The image of a service, from its folder, for the processor that the image is for:
#
#     docker build --build-arg FOLDER=publisher .
#     docker build --build-arg FOLDER=subscribers/fulfilment --platform linux/arm64 .
#     docker build --build-arg FOLDER=examples/receipts/web --build-arg SYSTEM=receipts .
#
# All services of a system have the same stages down to `library`, so these are built once for all of
# them, and a change to one service builds only that one. The compiler runs on the processor of the
# machine that builds, whatever the image is for: an emulated one takes ten times as long.

# What the images start from, by digest: the next build starts from the same bytes, whoever moves the
# tag. Renovate proposes newer ones, see CONTRIBUTING.md.
ARG RUST=rust:1.95-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082
ARG DISTROLESS=gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
ARG DEBIAN=debian:bookworm-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251

FROM --platform=$BUILDPLATFORM $RUST AS compiler
WORKDIR /workspace
# Crates are downloaded once, into a cache. It has cargo's locks too, so builds run side by side.
ENV CARGO_HOME=/cargo
# Writes the names and versions of all crates into the binary, for scanners. A debug build of it is
# built sooner, and does the same.
RUN --mount=type=cache,target=/cargo \
    cargo install --locked --quiet --debug --root /usr/local cargo-auditable@0.7.7
COPY rust-toolchain.toml /
ARG BUILDARCH TARGETARCH
# The very version that rust-toolchain.toml names, without the tools for people. For another
# processor also its standard library, and a C compiler.
RUN case $TARGETARCH in \
      amd64) target=x86_64 gcc=x86-64-linux-gnu ;; \
      arm64) target=aarch64 gcc=aarch64-linux-gnu ;; \
      *) echo "there are no images for $TARGETARCH, only for amd64 and arm64" >&2; exit 64 ;; \
    esac \
 && version=$(sed -n 's/^channel = "\(.*\)"/\1/p' /rust-toolchain.toml) \
 && if [ "$(rustc --version | cut -d ' ' -f 2)" != "$version" ]; then \
      rustup toolchain install --profile minimal "$version" && rustup default "$version"; \
    fi \
 && if [ "$TARGETARCH" != "$BUILDARCH" ]; then \
      apt-get update \
      && apt-get install -y --no-install-recommends "gcc-$gcc" "libc6-dev-$TARGETARCH-cross" \
      && { [ -d "$(rustc --print sysroot)/lib/rustlib/$target-unknown-linux-gnu" ] \
           || rustup target add "$target-unknown-linux-gnu"; }; \
    fi \
 && mkdir /.cargo \
 && printf '[build]\ntarget = "%s"\n[target.%s]\nlinker = "%s"\n' \
      "$target-unknown-linux-gnu" "$target-unknown-linux-gnu" "$target-linux-gnu-gcc" \
      >/.cargo/config.toml

FROM compiler AS manifests
COPY . .
# Keeps only the manifests, and empties the sources that cargo requires: building the dependencies
# depends on nothing else.
RUN find . -type f ! -name 'Cargo.*' ! -path '*/src/lib.rs' ! -path '*/main.rs' -delete \
 && find . -type d -empty -delete \
 && for source in $(find . -name '*.rs'); do \
      printf '//! Empty.\n\n/// Does nothing.\npub fn main() {}\n' >$source; \
    done

# The AWS account for docker-compose.yml: `--target aws`. It is never deployed, so a short build
# matters more than a small image.

FROM compiler AS aws-dependencies
COPY --from=manifests /workspace .
ENV CARGO_PROFILE_DEV_DEBUG=none CARGO_PROFILE_DEV_STRIP=symbols CARGO_INCREMENTAL=0
RUN --mount=type=cache,target=/cargo \
    cargo build --locked --package local

FROM aws-dependencies AS aws-build
COPY crates/pubsub crates/pubsub
COPY crates/orders crates/orders
COPY crates/outbox crates/outbox
COPY crates/archive crates/archive
COPY crates/deployment crates/deployment
COPY crates/account crates/account
COPY crates/web crates/web
COPY crates/console crates/console
COPY crates/local crates/local
# COPY keeps modification times. Without touch, cargo would use the build of the empty sources.
RUN --mount=type=cache,target=/cargo \
    touch crates/*/src/lib.rs crates/local/src/main.rs \
 && cargo build --locked --package local \
 && cp "$(echo target/*/debug/local)" /local

FROM $DISTROLESS AS aws
WORKDIR /workspace
COPY --from=aws-build /local /usr/local/bin/local
COPY copilot copilot
EXPOSE 4566
# The services wait for it.
HEALTHCHECK --interval=1s --timeout=5s --retries=30 \
    CMD ["/usr/local/bin/local", "aws", "--health-port", "8080", "--healthcheck"]
ENTRYPOINT ["/usr/local/bin/local"]
CMD ["aws", "--host", "0.0.0.0", "--public-host", "aws", "--health-port", "8080"]
ARG REVISION
LABEL org.opencontainers.image.title="local" \
      org.opencontainers.image.description="The AWS account on a laptop" \
      org.opencontainers.image.licenses="MIT-0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$REVISION"

# The same for the second sample, with what reads its pictures: `--target aws-receipts`.

FROM $DEBIAN AS aws-receipts
RUN apt-get update \
 && apt-get install --yes --no-install-recommends tesseract-ocr poppler-utils \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /workspace
COPY --from=aws-build /local /usr/local/bin/local
COPY examples/receipts/copilot copilot
USER 65532:65532
HEALTHCHECK --interval=1s --timeout=5s --retries=30 \
    CMD ["/usr/local/bin/local", "aws", "--health-port", "8080", "--healthcheck"]
ENTRYPOINT ["/usr/local/bin/local"]
CMD ["aws", "--host", "0.0.0.0", "--public-host", "aws", "--health-port", "8080"]

# The services.

FROM compiler AS dependencies
COPY --from=manifests /workspace .
# All services of a system are built together, here and below. One service alone enables fewer
# features of the dependencies, which would compile them again.
ENV SERVICES="--workspace --exclude local --exclude console --exclude trials --exclude account \
    --exclude deployment"
ARG SYSTEM=orders
# The second sample needs more of the SDK, for which no service of the first should wait.
RUN case $SYSTEM in \
      orders) echo --exclude receipts --exclude receipts-scanner --exclude receipts-web ;; \
      receipts) ;; \
      *) echo "there is no system $SYSTEM, only orders and receipts" >&2; exit 64 ;; \
    esac >/others
RUN --mount=type=cache,target=/cargo \
    cargo auditable build --locked --release $SERVICES $(cat /others)

FROM dependencies AS library
COPY crates/pubsub crates/pubsub
COPY crates/orders crates/orders
COPY crates/outbox crates/outbox
COPY crates/archive crates/archive
COPY crates/webhooks crates/webhooks
COPY crates/web crates/web
COPY crates/flow crates/flow
COPY examples/receipts/contract examples/receipts/contract
# As above.
RUN --mount=type=cache,target=/cargo \
    touch crates/*/src/lib.rs examples/*/*/src/lib.rs \
 && cargo auditable build --locked --release $SERVICES $(cat /others)

FROM library AS build
ARG FOLDER
COPY $FOLDER $FOLDER
RUN --mount=type=cache,target=/cargo \
    touch "$FOLDER/src/main.rs" \
 && name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$FOLDER/Cargo.toml") \
 && cargo auditable build --locked --release $SERVICES $(cat /others) --bin "$name" \
 && cp "$(echo target/*/release/"$name")" /service

FROM $DISTROLESS
COPY --from=build /service /usr/local/bin/service
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/service", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/service"]
# Set after the build, so that a new revision does not compile anything.
ARG FOLDER REVISION
ENV REVISION=$REVISION
LABEL org.opencontainers.image.title="$FOLDER" \
      org.opencontainers.image.licenses="MIT-0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$REVISION"
