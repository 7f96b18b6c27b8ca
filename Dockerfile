# syntax=docker/dockerfile:1
# The gateway as an image: `make image`, or `docker build --tag router-gateway .`
#
# PYTHON names the base, for a mirror or a digest of yours. The last stage begins from nothing and takes the file system
# of the one before, so that what was removed there is not carried along in a layer below.
ARG PYTHON=docker.io/library/python:3.13-slim

# The libraries: wheels alone, by the hashes of the lock.
# hadolint ignore=DL3006
FROM ${PYTHON} AS libraries
WORKDIR /build
# hadolint ignore=DL3008,DL3009
RUN apt-get update && apt-get install --yes --no-install-recommends binutils
RUN ["python", "-m", "venv", "--without-pip", "/opt/gateway"]
COPY requirements.txt ./
# A pip.conf for an index of your own: `docker build --secret id=pip,src=pip.conf .`
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    ["python", "-m", "pip", "--python", "/opt/gateway/bin/python", "install", "--no-cache-dir", "--no-compile", \
     "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "--requirement", "requirements.txt"]
# Debug symbols: one library alone has 14 MB of them.
RUN ["find", "/opt/gateway/lib", "-name", "*.so", "-exec", "strip", "--strip-unneeded", "{}", "+"]

# The gateway beside them, and what only a build or a person at a terminal needs taken away.
# hadolint ignore=DL3006
FROM ${PYTHON} AS furnished
COPY --from=libraries /opt/gateway /opt/gateway
# Nothing will be installed any more: apt goes as well, and Perl, which only packages' own scripts need; dpkg's list stays,
# for those who look for what is vulnerable.
RUN ["dpkg", "--purge", "--force-depends", "--force-remove-essential", "--force-remove-protected", \
     "apt", "debconf", "perl-base"]
COPY LICENSE /opt/gateway/LICENSE
COPY gateway /build/gateway
COPY deploy/image/furnish.py /build/furnish.py
RUN ["/opt/gateway/bin/python", "/build/furnish.py", "/build"]
COPY routers.yaml /etc/router-gateway/routers.yaml
# Where the gateway is started, and so what relative paths of a configuration are in: `ledger: {}` and the audit log's file
# come to rest in a volume that is mounted here, a new one of which takes over whose folder it is.
RUN ["install", "--directory", "--owner=65532", "--group=65532", "--mode=0750", "/var/lib/router-gateway"]

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="router-gateway" \
      org.opencontainers.image.description="An AI gateway with named routers" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# The whole of it, which is the point.
# hadolint ignore=DL3067
COPY --from=furnished / /
ENV PATH=/opt/gateway/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /var/lib/router-gateway
RUN ["gateway", "check", "/etc/router-gateway/routers.yaml"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8080, timeout=2); c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["gateway"]
CMD ["serve", "/etc/router-gateway/routers.yaml", "--host", "0.0.0.0", "--port", "8080"]
