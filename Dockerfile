# The operator. First `npm run image:stage`; build arguments: docs/images.md.

# Digest of node:24-trixie-slim (sha256:...). It has no default on purpose: without it the build fails.
ARG NODE_DIGEST
FROM node:24-trixie-slim@${NODE_DIGEST}

# Any volume that is mounted over the folder must belong to this user as well.
RUN groupadd --gid 10001 enclave \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/enclave --shell /usr/sbin/nologin enclave \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/enclave

COPY build/images/operator /app

ENV NODE_ENV=production HOME=/var/lib/enclave TMPDIR=/var/lib/enclave
USER 10001:10001
WORKDIR /var/lib/enclave
# The root file system may be read-only: this is all that is written to.
VOLUME /var/lib/enclave
EXPOSE 8080
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["operator", "run"]
