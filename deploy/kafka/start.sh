#!/usr/bin/env bash
# Starts one Kafka node. At its first start the data folder is given the cluster's id and the operator's
# password; later starts change neither (a new password: `kafka-configs.sh --alter --add-config`).
#
# NODE: its number; HOST: its name in its certificate; VOTERS: all controllers, 1@kafka-1:9093,...;
# CLUSTER_FILE: the cluster's id (22 characters); CERTS: a folder with HOST.pem (key and chain) and ca.pem;
# PASSWORD_FILE: the operator's password. KAFKA, DATA, CLIENTS, CONTROLLER: where Kafka and its data
# are, and the ports; ADVERTISED: where clients are sent, HOST:CLIENTS unless it says otherwise. AGENT: a
# folder that `python -m crosstown.embedded.kafka_agent` has filled; FIGURES: where Prometheus finds the broker's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${KAFKA:=/opt/kafka}" "${DATA:=/var/lib/kafka/data}" "${CLIENTS:=9092}" "${CONTROLLER:=9093}"
: "${ADVERTISED:=$HOST:$CLIENTS}" "${AGENT:=/opt/agent}" "${FIGURES:=0.0.0.0:9404}"
password=$(cat "$PASSWORD_FILE")
[[ $password =~ ^[A-Za-z0-9]{16,}$ ]] || { echo "the password must be 16 or more letters and digits" >&2; exit 2; }
umask 077
settings=$(mktemp)
cat "$here/server.properties" - >"$settings" <<EOT
node.id=$NODE
log.dirs=$DATA
listeners=CLIENTS://:$CLIENTS,CONTROLLER://:$CONTROLLER
advertised.listeners=CLIENTS://$ADVERTISED
controller.quorum.voters=$VOTERS
ssl.keystore.location=$CERTS/$HOST.pem
ssl.truststore.location=$CERTS/ca.pem
listener.name.clients.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="crosstown" password="$password";
EOT
"$KAFKA/bin/kafka-storage.sh" format --ignore-formatted --cluster-id="$(cat "$CLUSTER_FILE")" -c "$settings" \
  --add-scram "SCRAM-SHA-512=[name=crosstown,password=$password]" >/dev/null
agent=("$AGENT"/jmx_prometheus_javaagent-*.jar)
if [[ -e ${agent[0]} ]]; then
  export KAFKA_OPTS="${KAFKA_OPTS:-} -javaagent:${agent[0]}=$FIGURES:$AGENT/jmx.yml"
else
  echo "nothing in $AGENT tells this broker's figures" >&2
fi
exec "$KAFKA/bin/kafka-server-start.sh" "$settings"
