#!/bin/sh
# nginx between clients and S3 without MLflow: the limit for bytes. Sourced by servers.py; $ENDPOINT, $PORT come from there.
start() {
    set -eu
    cat >/etc/nginx/conf.d/bare.conf <<EOF
server {
    listen $PORT ssl;
    server_name _;
    client_max_body_size 0;
    location / {
        proxy_pass $ENDPOINT;
        proxy_set_header Host \$proxy_host;
        proxy_request_buffering off;
        proxy_read_timeout 3600s;
    }
}
EOF
    nginx -t -q
    systemctl reload nginx
}

stop() {
    rm -f /etc/nginx/conf.d/bare.conf
    systemctl reload nginx
}
