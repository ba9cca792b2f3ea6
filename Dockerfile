FROM python:3.11-slim

# The root file system may be read-only (compose.yaml makes it so): what is written goes to FMD_HOME and /tmp.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 FMD_HOME=/var/lib/fmd-studio \
  TORCH_HOME=/var/lib/fmd-studio/torch MPLCONFIGDIR=/tmp/matplotlib STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE=true
RUN useradd --create-home --uid 10001 studio && install -d -o studio -m 700 /var/lib/fmd-studio
# Imports, trained models, features and, without FMD_DATABASE_URL, the reviews outlive the container.
VOLUME /var/lib/fmd-studio
WORKDIR /srv/studio

# Libraries first: they change less often than the code.
COPY requirements.txt ./
RUN grep -v '^-e' requirements.txt > libraries.txt && pip install -r libraries.txt && rm libraries.txt

# The code belongs to root: the server cannot change it.
COPY . .
RUN pip install --no-deps -e .

USER studio
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
# Inside a container the loopback address is unreachable from outside; publish the port on the
# host's loopback (-p 127.0.0.1:8501:8501), or set up a login: see docs/deployment.md.
CMD ["streamlit", "run", "app/server.py", "--server.address", "0.0.0.0"]
