\set username `cat /etc/sandbox/master/username`
\set password `cat /etc/sandbox/master/password`
\set database `cat /etc/sandbox/master/database`
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SELECT 'CREATE ROLE postgres SUPERUSER LOGIN'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postgres') \gexec
SELECT format('CREATE ROLE %I', :'username')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'username') \gexec
ALTER ROLE :"username" LOGIN CREATEDB CREATEROLE NOSUPERUSER PASSWORD :'password';
GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO :"username" WITH ADMIN OPTION;
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'username')
 WHERE :'database' <> '' AND NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
ALTER DATABASE postgres OWNER TO :"username";
