"""Writes as influxdb does, InfluxDB 1's client.

    python write_influxdb1.py HOST PORT

The exit code says whether the client was told what it should be; the rows are looked at elsewhere.
"""

import sys

import pandas as pd
from influxdb import DataFrameClient, InfluxDBClient
from influxdb.exceptions import InfluxDBClientError

SECOND = 1_700_000_000


def point(measurement, time, tags=None, **fields):
    return {"measurement": measurement, "tags": tags or {}, "time": time, "fields": fields}


def make_database(client):
    """What programs do before they write."""
    assert client.ping(), "its version is a header of /ping"
    assert {"name": "feeds"} not in client.get_list_database()
    client.create_database("feeds")
    client.switch_database("feeds")
    assert client.write_points([point("v1_made", SECOND, host="a", f=1.5)], time_precision="s")
    assert {"name": "feeds"} in client.get_list_database(), client.get_list_database()
    client.switch_database("public")


def write(client):
    """Every type, each precision, and what must be escaped."""
    fields = {"f": 0.1, "i": -(2**63), "b": False, "s": 'say "x"\\, twice'}
    assert client.write_points([point("v1 points", "2023-11-14T22:13:20.123456Z", {"host": "a b,c=d"}, **fields)])
    for number, (precision, scale) in enumerate([("n", 10**9), ("u", 10**6), ("ms", 10**3), ("s", 1)]):
        time = SECOND * scale + (scale > 1)
        assert client.write_points([point("v1_precision", time, {"precision": precision}, n=number)], time_precision=precision)
    points = [point("v1_batches", SECOND * 1_000 + n, n=n) for n in range(1_050)]
    assert client.write_points(points, time_precision="ms", batch_size=100, tags={"host": "all"})
    lines = [f"v1_lines n=1 {SECOND}", f"v1_lines n=2 {SECOND + 1}"]
    assert client.write_points(lines, time_precision="s", protocol="line")


def be_refused(client):
    """What is wrong is told as the client's own exception."""
    try:
        client.write_points([f"v1_partial n=0 {SECOND}", "v1_partial n=", f"v1_partial n=2 {SECOND}"],
                            time_precision="s", protocol="line")
    except InfluxDBClientError as error:
        assert error.code == 400, error
        assert "partial write: 1 of 3 lines were refused, the first is line 2, column " in str(error), error
    else:
        raise AssertionError("the bad line was not told")
    try:
        client.query("SELECT n FROM v1_batches")
    except InfluxDBClientError as error:
        assert error.code == 400 and "ask everything else in SQL" in str(error), error
    else:
        raise AssertionError("no rows are no answer")


def write_frame(client):
    times = pd.to_datetime([SECOND, SECOND + 1], unit="s", utc=True)
    frame = pd.DataFrame({"symbol": ["A", "B"], "price": [1.25, 3.5], "size": [1, 2]}, index=times)
    assert client.write_points(frame, "v1_frame", tag_columns=["symbol"], time_precision="u")


def main(host, port):
    client = InfluxDBClient(host, int(port), username="any", password="any", database="public")
    make_database(client)
    be_refused(client)
    client.close()
    client = InfluxDBClient(host, int(port), database="public", gzip=True)
    assert {"name": "public"} in client.get_list_database()
    write(client)
    client.close()
    client = DataFrameClient(host, int(port), database="public")
    write_frame(client)
    client.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
