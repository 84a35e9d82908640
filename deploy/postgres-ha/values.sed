# What is the same on all three machines. README.md says how it is used. It holds passwords: chmod 600.
s|@DB1@|192.0.2.11|g
s|@DB2@|192.0.2.12|g
s|@DB3@|192.0.2.13|g
# The network of the three, and that of Ostiary's nodes.
s|@NETWORK@|192.0.2.0/27|g
s|@NODES@|192.0.2.0/24|g
# openssl rand -hex 24, once for each.
s|@SUPERUSER_PASSWORD@|CHANGE-ME-1|g
s|@REPLICATION_PASSWORD@|CHANGE-ME-2|g
s|@REWIND_PASSWORD@|CHANGE-ME-3|g
s|@API_PASSWORD@|CHANGE-ME-4|g
