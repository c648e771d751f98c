#!/bin/sh
# The deployed service once more on its host, without a login, behind nginx at $PORT. Sourced by login.py.
start() {
    set -eu
    folder=/run/mlflow-without-login
    install -m 0600 /etc/mlflow/mlflow.env /etc/mlflow/without-login.env
    sed -i -e '/MLFLOW_AUTH_CONFIG_PATH/d' -e "s#/run/mlflow/#$folder/#g" -e "s#\(ALLOWED_HOSTS=\"\)#\1*,#" /etc/mlflow/without-login.env
    sed -e 's# --app-name basic-auth##' -e "s#/run/mlflow/#$folder/#g" -e 's#^RuntimeDirectory=.*#RuntimeDirectory=mlflow-without-login#' \
        -e 's#mlflow.env#without-login.env#' /etc/systemd/system/mlflow.service > /etc/systemd/system/mlflow-without-login.service
    cat > /etc/nginx/conf.d/without-login.conf <<EOF
upstream without_login {
    server unix:$folder/mlflow.sock max_fails=0;
    keepalive 64;
    keepalive_timeout 60s;
}
server {
    listen $PORT ssl;
    server_name _;
    # As for those who bring a login: who brings none is limited more.
    limit_req zone=clients burst=2000 nodelay;
    limit_conn connections 4096;
    location / {
        proxy_pass http://without_login;
    }
}
EOF
    systemctl daemon-reload
    systemctl start mlflow-without-login
    systemctl reload nginx
    sleep 2
}

stop() {
    rm -f /etc/nginx/conf.d/without-login.conf
    systemctl reload nginx
    systemctl stop mlflow-without-login
    rm -f /etc/systemd/system/mlflow-without-login.service /etc/mlflow/without-login.env
    systemctl daemon-reload
}
