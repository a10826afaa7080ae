# kiebatch with ffmpeg and fonts, for a machine that has only docker:
#   docker build --tag kiebatch .
#   docker run --rm --volume "$PWD:/film" --user "$(id -u):$(id -g)" --env KIE_API_KEY kiebatch run scenes.yaml --max-credits 200
# The journal is in /film/.kiebatch, so that it outlives the container.
FROM python:3.12-slim

RUN apt-get update \
 && apt-get install --yes --no-install-recommends ffmpeg fonts-dejavu-core fonts-noto-cjk git \
 && rm -rf /var/lib/apt/lists/*

COPY pyproject.toml README.md LICENSE /src/
COPY schemas /src/schemas
COPY kiebatch /src/kiebatch
RUN pip install --no-cache-dir "/src[pdf,otio,qr,mcp]" && rm -rf /src

# Whoever runs it as another user than this one has a home to write to all the same.
RUN useradd --create-home kiebatch && mkdir /film && chown kiebatch /film
ENV KIEBATCH_STATE_HOME=/tmp/kiebatch-state KIEBATCH_CONFIG_HOME=/tmp/kiebatch-config
USER kiebatch
WORKDIR /film
ENTRYPOINT ["kiebatch"]
CMD ["--help"]
