"""Writes as questdb does, QuestDB's client: over HTTP and over TCP.

    python write_questdb.py HTTP_ADDRESS TCP_ADDRESS

The exit code says whether the client was told what it should be; the rows are looked at elsewhere.
"""

import sys
from datetime import datetime, timezone

import pandas as pd
from questdb import QuestDBError, Sender, TimestampMicros, TimestampNanos

SECOND = 1_700_000_000


def write(sender, transport):
    """Every type of the text protocol, and what must be escaped."""
    sender.row(
        f"qdb_{transport}",
        symbols={"host": "a b,c=d"},
        columns={
            "f": 0.1,
            "i": -(2**63),
            "b": True,
            "s": 'say "x"\\,\ntwice',
            "micros": TimestampMicros(SECOND * 10**6 + 1),
            "moment": datetime(2023, 11, 14, 22, 13, 20, 123456, timezone.utc),
        },
        at=TimestampNanos(SECOND * 10**9 + 1_999),
    )
    sender.row(f"qdb_{transport}", symbols={"host": "b"}, columns={"f": 2.0}, at=datetime.fromtimestamp(SECOND + 1, timezone.utc))
    frame = pd.DataFrame({
        "symbol": pd.Categorical(["A", "B", "A"]),
        "price": [1.25, 2.0, 3.5],
        "size": [1, 2, 3],
        "at": pd.to_datetime([SECOND, SECOND + 1, SECOND + 2], unit="s").astype("datetime64[ns]"),
    })
    sender.dataframe(frame, table_name=f"qdb_frame_{transport}", symbols=["symbol"], at="at")


def be_refused(sender):
    """A value that does not fit is told as the client's own exception; the other rows are written."""
    for n in [0, "text", 2]:
        sender.row("qdb_partial", columns={"n": n}, at=TimestampNanos(SECOND * 10**9))
    try:
        sender.flush()
    except QuestDBError as error:
        assert "partial write: 1 of 3 lines were refused, the first is line 2, column " in str(error), error
        return
    raise AssertionError("the bad row was not told")


def be_refused_a_gap(sender):
    """The client sends a frame's gap as NaN, and such a row is refused."""
    frame = pd.DataFrame({"price": [1.25, None, 3.5]})
    try:
        sender.dataframe(frame, table_name="qdb_gap", at=TimestampNanos(SECOND * 10**9)).flush()
    except QuestDBError as error:
        assert "line 2, column 15: the number is not finite: leave the field out" in str(error), error
        return
    raise AssertionError("the gap was not told")


def write_batches(sender):
    for n in range(1_050):
        sender.row("qdb_batches", symbols={"host": f"h{n % 7}"}, columns={"n": n}, at=TimestampNanos(SECOND * 10**9 + n * 1_000))


def main(http, tcp):
    with Sender.from_conf(f"http::addr={http};protocol_version=1;") as sender:
        write(sender, "http")
    # Without a version the client asks for those that the server knows.
    with Sender.from_conf(f"http::addr={http};auto_flush_rows=100;") as sender:
        assert sender.protocol_version == 1, sender.protocol_version
        write_batches(sender)
    with Sender.from_conf(f"http::addr={http};auto_flush=off;") as sender:
        be_refused(sender)
        be_refused_a_gap(sender)
    with Sender.from_conf(f"tcp::addr={tcp};protocol_version=1;") as sender:
        write(sender, "tcp")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
