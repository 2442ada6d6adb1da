# The image of dataferry: workers and command line, without a Redis. `docker build -t dataferry .`; see docs/docker.md.
ARG NODE_IMAGE=node:24.18.0-bookworm-slim@sha256:6f7b03f7c2c8e2e784dcf9295400527b9b1270fd37b7e9a7285cf83b6951452d

# Bundles the program: what it needs of its packages is in the bundle.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
# The packages alone first: this layer is built again only when the lock changes.
COPY package.json package-lock.json ./
# No package that runs needs its install script, and a script could do anything.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts/build.mjs scripts/build-pages.mjs scripts/bundle.mjs scripts/
COPY src src
COPY jobs jobs
COPY workers workers
RUN npm run build -- --program

# A Dataverse installation to try things with, for the profile `demo` of docker-compose.yml. Node.js runs its TypeScript.
FROM ${NODE_IMAGE} AS standin
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules/zod node_modules/zod
COPY --from=build /app/node_modules/csv-parse node_modules/csv-parse
COPY test/fakes/dataverse test/fakes/dataverse
USER node
ENTRYPOINT ["node", "test/fakes/dataverse/main.ts"]

# The last stage is what `docker build` makes.
FROM ${NODE_IMAGE} AS dataferry
LABEL org.opencontainers.image.title="dataferry" \
      org.opencontainers.image.description="Durable batch downloads from Dataverse repositories" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production \
    DATAFERRY_TO=/data
WORKDIR /app
# Owned by root: the process cannot change its own program, even where the root file system can be written to.
COPY LICENSE package.json ./
COPY --from=build /app/dist/bin dist/bin
# A named volume mounted on /data or /state for the first time takes its owner from here.
RUN ln -s /app/dist/bin/dataferry.js /usr/local/bin/dataferry \
 && mkdir /data /state /work && chown node:node /data /state
VOLUME /data
# Where relative manifests and dataferry.config.json are looked for.
WORKDIR /work
USER node
# Alive means more than running: Redis answers, and the worker of this container told it so within 15 seconds. It costs
# a start of Node.js and one read; `dataferry status` would ask about every batch and server.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
  CMD ["node", "/app/dist/bin/health.js"]
# Without a shell in between, so that SIGTERM reaches the process that parks its files. It reaps its own children and
# has no others, so it needs no init above it.
ENTRYPOINT ["dataferry"]
CMD ["--help"]
