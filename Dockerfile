# syntax=docker/dockerfile:1
# One image for every service of Belay; which one a container is, its command says.

FROM python:3.13-slim-bookworm AS build
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_SYSTEM_CERTS=true
WORKDIR /src
COPY requirements-uv.lock requirements-image.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-uv.lock \
    && uv venv /opt/belay \
    && uv pip sync --no-cache --python /opt/belay/bin/python --require-hashes requirements-image.lock
COPY requirements.lock pyproject.toml README.md ./
COPY shared shared
COPY services services
RUN uv pip install --no-cache --python /opt/belay/bin/python --no-deps --build-constraints requirements.lock .

# Helm: the catalog looks into charts with it, the driver `helm` brings them to clusters. From its Go module, by the
# module proxy that Go knows or GOPROXY names, in the version that the tests run. They run this very command, and what it
# builds (tests/support/kubernetes/build.py); this stage itself they do not: its base image is on no test machine.
FROM golang:1.26-bookworm AS helm
ARG GOPROXY
ENV CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOBIN=/out
RUN go install -trimpath -ldflags="-s -w" helm.sh/helm/v4/cmd/helm@v4.3.1

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="Belay" \
      org.opencontainers.image.description="Fleet upgrades with a rope on" \
      org.opencontainers.image.licenses="Apache-2.0"
# OpenSSH's client is what the driver `ansible` reaches hosts with.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openssh-client \
    && rm -rf /var/lib/apt/lists/*
# A named volume takes over owner and mode of the folder that it is first mounted on.
RUN groupadd --gid 10001 belay \
    && useradd --uid 10001 --gid belay --no-create-home --home-dir /var/lib/belay --shell /usr/sbin/nologin belay \
    && install --directory --owner belay --group belay --mode 0700 /var/lib/belay
COPY --from=helm /out/helm /usr/local/bin/helm
COPY --from=build /opt/belay /opt/belay
ENV PATH=/opt/belay/bin:$PATH PYTHONUNBUFFERED=1 BELAY_HOME=/var/lib/belay BELAY_HTTP_HOST=0.0.0.0
USER belay
WORKDIR /var/lib/belay
VOLUME /var/lib/belay
ENTRYPOINT ["python", "-m", "shared.embedded.contained"]
CMD ["gateway"]
