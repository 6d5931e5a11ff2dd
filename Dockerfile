# syntax=docker/dockerfile:1
# Two stages: one with compilers, which leaves behind only the program and its three native modules without their symbols; and a slim
# one that runs it as a user without rights. `test/docker/try-dockerfile.sh` tries these steps where there is no engine: so RUN
# names nothing outside its WORKDIR.

FROM node:24-bookworm AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The project's own script builds from sources that come later: that an edit there need not compile the native modules again.
RUN npm ci --ignore-scripts && npm rebuild re2 better-sqlite3 unix-dgram
COPY tsconfig.json rolldown.config.ts ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts
RUN strip --strip-all node_modules/re2/build/Release/re2.node node_modules/better-sqlite3/build/Release/better_sqlite3.node \
 node_modules/unix-dgram/build/Release/unix_dgram.node
# What the native modules were compiled from, and on the way to them.
RUN find node_modules/re2/build node_modules/better-sqlite3/build node_modules/unix-dgram/build -type f \
   ! -name re2.node ! -name better_sqlite3.node ! -name unix_dgram.node -delete \
 && find node_modules/re2/build node_modules/better-sqlite3/build node_modules/unix-dgram/build -depth -type d -empty -delete \
 && rm -rf node_modules/re2/vendor node_modules/re2/lib node_modules/better-sqlite3/deps node_modules/better-sqlite3/src \
   node_modules/unix-dgram/src node_modules/nan
# `docker exec NAME tocsin status` finds the command, and the volume begins as a folder of the user that runs it.
RUN chmod 755 dist/main.js && mkdir -p bin state && ln -s ../dist/main.js bin/tocsin
COPY LICENSE CHANGELOG.md ./
COPY rules ./rules

FROM node:24-bookworm-slim
ENV NODE_ENV=production
ENV PATH=/app/bin:$PATH
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE /app/CHANGELOG.md ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/rules ./rules
COPY --from=build /app/bin ./bin
COPY --from=build /app/dist ./dist
COPY --from=build --chown=node:node /app/state /var/lib/tocsin
VOLUME /var/lib/tocsin
USER node
# The configuration is mounted here: /etc/tocsin/tocsin.yaml, and what it names beside it.
WORKDIR /etc/tocsin
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["node", "/app/dist/healthcheck.js"]
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["run", "--config", "/etc/tocsin/tocsin.yaml"]
