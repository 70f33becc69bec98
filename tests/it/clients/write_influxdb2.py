"""Writes as influxdb-client does, InfluxDB 2's client.

    python write_influxdb2.py URL

The exit code says whether the client was told what it should be; the rows are looked at elsewhere.
"""

import sys
from datetime import datetime, timezone

import pandas as pd
from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

SECOND = 1_700_000_000


def greet(client):
    assert client.ping()
    assert client.ready().status == "ready", client.ready()
    assert client.version(), "its version is a header of /ping"


def write_points(write_api):
    """Every type, each precision, and what must be escaped."""
    whole = (
        Point("v2 points").tag("host", "a b,c=d").tag("empty", "")
        .field("f", 0.1).field("i", -(2**63)).field("b", True).field("s", 'say "x"\\, twice')
        .time(datetime(2023, 11, 14, 22, 13, 20, 123456, timezone.utc))
    )
    write_api.write("public", record=whole)
    for number, precision in enumerate([WritePrecision.NS, WritePrecision.US, WritePrecision.MS, WritePrecision.S]):
        scale = {"ns": 10**9, "us": 10**6, "ms": 10**3, "s": 1}[precision]
        point = Point("v2_precision").tag("precision", precision).field("n", number)
        write_api.write("public", record=point.time(SECOND * scale + (scale > 1), precision), write_precision=precision)
    record = {"measurement": "v2_elsewhere", "tags": {"host": "a"}, "fields": {"f": 1.5}, "time": SECOND * 10**9}
    write_api.write("other", record=[record])


def write_frame(write_api):
    times = pd.to_datetime([SECOND, SECOND + 1, SECOND + 2], unit="s", utc=True)
    frame = pd.DataFrame({"symbol": ["A", "A", "B"], "price": [1.25, None, 3.5], "size": [1, 2, 3]}, index=times)
    write_api.write(
        "public", record=frame, data_frame_measurement_name="v2_frame", data_frame_tag_columns=["symbol"]
    )


def be_refused(write_api):
    """A bad line is told as the client's own exception; the lines around it are written."""
    lines = [f"v2_partial n={n} {SECOND + n}000000000" for n in range(3)]
    lines[1] = "v2_partial n="
    try:
        write_api.write("public", record=lines)
    except ApiException as error:
        assert error.status == 400, error
        expected = "partial write: 1 of 3 lines were refused, the first is line 2, column "
        assert error.message.startswith(expected), error.message
        return
    raise AssertionError("the bad line was not told")


def write_batches(client):
    """The default mode: a thread collects points and sends them in batches."""
    sent, failed = [], []
    options = WriteOptions(batch_size=100, flush_interval=2_000)
    with client.write_api(
        write_options=options,
        success_callback=lambda _, data: sent.append(data.count("\n" if isinstance(data, str) else b"\n") + 1),
        error_callback=lambda _, data, error: failed.append(error),
    ) as write_api:
        for n in range(1_050):
            write_api.write("public", record=Point("v2_batches").tag("host", n % 7).field("n", n).time(SECOND * 10**9 + n * 1_000))
    assert not failed, failed
    # A batch that is not full goes when its time is over.
    assert sum(sent) == 1_050 and max(sent) == 100, sent


def main(url):
    for enable_gzip in [False, True]:
        with InfluxDBClient(url=url, token="any", org="any", enable_gzip=enable_gzip) as client:
            greet(client)
            write_api = client.write_api(write_options=SYNCHRONOUS)
            if enable_gzip:
                write_points(write_api)
                write_frame(write_api)
            else:
                be_refused(write_api)
                write_batches(client)


if __name__ == "__main__":
    main(sys.argv[1])
