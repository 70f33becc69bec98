"""Writes as opentsdb-py does, a client of OpenTSDB: over HTTP, with gzip and without, and over telnet.

    python write_opentsdb.py HOST PORT

The exit code says whether the client was told what it should be; the rows are looked at elsewhere.
"""

import sys

from opentsdb import TSDBClient

SECOND = 1_700_000_000


def write(host, port, metric, values, **options):
    """Sends values, a second from each to the next; says how many the client takes for written, and for refused."""
    client = TSDBClient(host, port, host_tag=False, static_tags={"site": "x"}, **options)
    assert client.is_alive()
    for n, value in enumerate(values):
        client.send(metric, value, host=f"h{n % 2}", timestamp=SECOND + n)
    # Milliseconds have 13 digits.
    client.send(metric, 0.125, host="ms", timestamp=SECOND * 1_000 + 1)
    client.close()
    client.wait()
    return client.statuses["success"], client.statuses["failed"]


def main(host, port):
    values = [42, 42.5, -1e-3]
    assert write(host, port, "tsdb.http", values, http_compression=None) == (4, 0)
    assert write(host, port, "tsdb.gzip", values, http_compression="gzip") == (4, 0)
    assert write(host, port, "tsdb.partial", [1, "x", 3]) == (3, 1), "the refused point is told"
    many = list(range(500))
    assert write(host, port, "tsdb.batches", many, send_metrics_batch_limit=50) == (501, 0)
    # Nobody answers; what the client counts is what it sent.
    telnet = {"protocol": "TELNET", "send_metrics_limit": 0}
    assert write(host, port, "tsdb.telnet", [*values, "x"], **telnet) == (5, 0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
