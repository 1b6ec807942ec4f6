# syntax=docker/dockerfile:1
ARG NODE_VERSION=26.10.0

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
# The pinned `node` package is for machines with an older Node; this image has the right one.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY certs certs
COPY cli cli
COPY controller controller
COPY shared shared
COPY webhook webhook
# "optional" leaves out the libraries of AWS, Google and Microsoft (19 of 38 MB), for images without contexts of managed clusters.
ARG OMIT=dev
RUN npx --no-install tsc -p tsconfig.build.json \
 && npm prune --omit=dev --omit=${OMIT} --ignore-scripts
# Type declarations and source maps of libraries are never loaded: 22 of 60 MB.
RUN find node_modules -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' \) -delete \
 && rm -rf node_modules/@types
# Node links to libatomic since version 25, and distroless has none. Where it lies differs by platform.
RUN mkdir /libraries \
 && cp -L "$(ldd /usr/local/bin/node | awk '$1 == "libatomic.so.1" { print $3 }')" /libraries/

# No shell, no package manager: what node links to, and nothing else.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /libraries/ /usr/lib/
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /src/package.json /app/package.json
COPY --from=build /src/node_modules /app/node_modules
COPY --from=build /src/dist /app/dist
# No writes at run time: the root file system can be read-only.
ENV NODE_ENV=production
USER 65532:65532
WORKDIR /app
ENTRYPOINT ["/usr/local/bin/node", "/app/dist/cli/main.js"]
