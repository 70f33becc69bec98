"""Writes as influxdb-client does while the database is away, and tells when it was sent back for the first time.

    python write_influxdb2_retries.py URL

Says `sent back` on standard output once; somebody heals the database then. The exit code says whether every batch was
written in the end.
"""

import sys

from influxdb_client import InfluxDBClient, Point, WriteOptions
from influxdb_client.client.exceptions import InfluxDBError

SECOND = 1_700_000_000


def main(url):
    sent_back, failed = [], []

    def on_retry(_, data, error):
        if not sent_back:
            print("sent back", flush=True)
        sent_back.append(error)

    options = WriteOptions(batch_size=50, retry_interval=100, max_retry_delay=5_000, max_retry_time=60_000)
    # A write is tried for seconds before its client hears of it.
    with InfluxDBClient(url=url, token="any", org="any", timeout=30_000) as client:
        with client.write_api(
            write_options=options,
            retry_callback=on_retry,
            error_callback=lambda _, data, error: failed.append(error),
        ) as write_api:
            for n in range(200):
                point = Point("v2_retries").tag("host", n % 3).field("n", n).time(SECOND * 10**9 + n * 1_000)
                write_api.write("public", record=point)
    assert not failed, failed
    assert all(isinstance(error, InfluxDBError) and error.response.status == 503 for error in sent_back), sent_back
    assert all(int(error.retry_after) > 0 for error in sent_back), "the client is told when to come back"


if __name__ == "__main__":
    main(sys.argv[1])
