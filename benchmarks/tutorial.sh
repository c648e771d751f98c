#!/bin/sh
# The server of MLflow's tutorial on the deployed host, as published but for the database, the bucket and the address:
# four workers, TCP, no TLS, no login. Sourced by servers.py; $DATABASE, $BUCKET, $ENDPOINT and $PORT come from there.
start() {
    set -eu
    systemd-run --quiet --unit mlflow-tutorial \
        --property DynamicUser=yes --property StateDirectory=mlflow-tutorial \
        --property WorkingDirectory=/var/lib/mlflow-tutorial --property LimitNOFILE=16384 \
        --setenv HOME=/var/lib/mlflow-tutorial --setenv AWS_ENDPOINT_URL_S3="$ENDPOINT" --setenv AWS_DEFAULT_REGION="$REGION" \
        --setenv AWS_ACCESS_KEY_ID=tutorial --setenv AWS_SECRET_ACCESS_KEY=tutorial \
        /opt/mlflow/current/bin/python -m mlflow server \
        --backend-store-uri "$DATABASE" --artifacts-destination "s3://$BUCKET/tutorial" --host 0.0.0.0 --port "$PORT"
}

stop() {
    systemctl stop mlflow-tutorial
    if systemctl is-failed --quiet mlflow-tutorial; then
        systemctl reset-failed mlflow-tutorial
    fi
}
