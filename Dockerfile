# syntax=docker/dockerfile:1
# The image of Kommuneklient:                 docker build -t kommuneklient:0.1.0 .
# and of its simulators, for overlays/dev:    docker build -t kommuneklient-simulators:0.1.0 --target simulators .
#
# Digests go before tags wherever the registry is at hand: docker build --build-arg RUST=rust@sha256:…

ARG RUST=rust:1.95-bookworm
# glibc of the same Debian as the builder's, certificate authorities, no shell, uid 65532.
ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot

# Manifests alone, so that the next stage is built anew only when a dependency changes, and not with each line of code.
FROM ${RUST} AS manifests
WORKDIR /source
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock -delete && find . -type d -empty -delete

# Dependencies, with an empty source in place of each crate. No cmake and no nasm: aws-lc is built with the C compiler.
FROM ${RUST} AS dependencies
WORKDIR /source
COPY --from=manifests /source .
RUN find . -mindepth 2 -name Cargo.toml -execdir sh -c 'mkdir -p src && touch src/lib.rs && echo "fn main() {}" > src/main.rs' \; \
    && mkdir -p tests/benches/bench && echo "fn main() {}" | tee tests/benches/bench/main.rs tests/src/torture_main.rs > tests/src/upgrade_main.rs \
    && cargo build --release --locked -p kommuneklient --no-default-features \
    && find . -name '*.rs' -not -path './target/*' -delete

FROM dependencies AS build
COPY . .
# what came with the copy is older than the empty crates were
RUN find . -name '*.rs' -not -path './target/*' -exec touch {} + \
    && cargo build --release --locked -p kommuneklient --no-default-features \
    && ! target/release/kommuneklient simulate --help 2>/dev/null

FROM build AS build-simulators
RUN cargo build --release --locked -p kommuneklient

FROM ${RUNTIME} AS simulators
COPY --from=build-simulators /source/target/release/kommuneklient /usr/local/bin/kommuneklient
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/kommuneklient"]

FROM ${RUNTIME}
LABEL org.opencontainers.image.title="Kommuneklient" \
      org.opencontainers.image.description="Keeps Jobcenter Planner in step with Exchange calendars" \
      org.opencontainers.image.licenses="EUPL-1.2"
COPY --from=build /source/target/release/kommuneklient /usr/local/bin/kommuneklient
USER 65532:65532
EXPOSE 8080
# exec form: SIGTERM reaches the program itself
ENTRYPOINT ["/usr/local/bin/kommuneklient"]
CMD ["run"]
