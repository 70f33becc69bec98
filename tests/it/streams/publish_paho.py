"""Publishes as paho-mqtt does, the client that most devices in Python have: both versions of the protocol, QoS 1.

    python publish_paho.py HOST PORT MESSAGES

The exit code says whether the broker took everything; the rows are looked at elsewhere.
"""

import json
import sys

import paho.mqtt.client as mqtt

SECOND = 1_700_000_000


def connect(host, port, version):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"paho-{int(version)}", protocol=version)
    client.max_inflight_messages_set(20)
    client.connect(host, port)
    client.loop_start()
    return client


def publish(client, messages):
    """Publishes, and returns once the broker has all of it."""
    sent = [client.publish(topic, payload, qos=1) for topic, payload in messages]
    for message in sent:
        message.wait_for_publish(30)
        assert message.is_published()


def lines(version, count):
    """A message each a line, now and then two lines, or a line among them that is none."""
    for n in range(count):
        payload = f"paho,version={version} n={n}i,value={n / 8},text=\"\u00e4 {n}\" {(SECOND + n) * 1_000_000_000}"
        if n % 100 == 50:
            payload = f"{payload}\npaho,version={version} n=oops"
        yield "lines/paho", payload.encode()


def readings(version, count):
    for n in range(count):
        yield f"sensors/roof/t{version}", json.dumps({"at": SECOND + n, "t": n / 4, "ok": n % 2 == 0})


def main(host, port, count):
    for version in (mqtt.MQTTv311, mqtt.MQTTv5):
        client = connect(host, int(port), version)
        publish(client, lines(int(version), int(count)))
        publish(client, readings(int(version), int(count)))
        client.disconnect()
        client.loop_stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
