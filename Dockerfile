# The base by digest; `docker buildx imagetools inspect python:3.11-slim` says the present one.
ARG BASE=python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7
FROM $BASE

# The root file system may be read-only (compose.yaml makes it so): what is written goes to FMD_HOME and /tmp.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 FMD_HOME=/var/lib/fmd-studio \
  TORCH_HOME=/var/lib/fmd-studio/torch MPLCONFIGDIR=/tmp/matplotlib STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE=true
RUN useradd --create-home --uid 10001 studio && install -d -o studio -m 700 /var/lib/fmd-studio
# Imports, trained models, features and, without FMD_DATABASE_URL, the reviews outlive the container.
VOLUME /var/lib/fmd-studio
WORKDIR /srv/studio

# Libraries first: they change less often than the code. Each by its digest (`make lock`), nothing resolved here.
# torch from PyTorch's own index of CPU builds: the registry's build brings 4 GB of CUDA that no line uses.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY requirements.lock ./
COPY requirements-cpu.lock ./
RUN pip install --require-hashes --only-binary :all: --no-deps -r requirements.lock
RUN pip install --only-binary :all: --no-deps --index-url $TORCH_INDEX -r requirements-cpu.lock

# The code belongs to root: the server cannot change it. What builds it is in the lock.
COPY . .
RUN pip install --no-deps --no-build-isolation --no-index -e .

USER studio
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=9s --start-period=60s CMD ["python", "-m", "app.serving.health"]
# Inside a container the loopback address is unreachable from outside; publish the port on the
# host's loopback (-p 127.0.0.1:8501:8501), or set up a login: see docs/deployment.md.
CMD ["streamlit", "run", "app/server.py", "--server.address", "0.0.0.0"]
