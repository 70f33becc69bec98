"""Writes the same rows as Parquet, in three ways, and as CSV, into the folder that is named."""

import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

folder, rows = sys.argv[1], 120_000
start = 1_577_836_800_000_000
table = pa.table({
    "time": pa.array([start + row * 1_000_000 for row in range(rows)], pa.timestamp("us", tz="UTC")),
    "symbol": pa.array([f"S{row % 7}" for row in range(rows)]).dictionary_encode(),
    "price": pa.array([None if row % 11 == 0 else row / 8 for row in range(rows)], pa.float64()),
    "size": pa.array([row % 1000 for row in range(rows)], pa.uint32()),
    "open": pa.array([row % 3 == 0 for row in range(rows)]),
})
pq.write_table(table, f"{folder}/trades.parquet", row_group_size=17_000)
plain = table.set_column(1, "symbol", table["symbol"].cast(pa.large_string()))
pq.write_table(plain, f"{folder}/zstd.parquet", compression="zstd", data_page_version="2.0", use_dictionary=False)
naive = plain.set_column(0, "time", table["time"].cast(pa.timestamp("ns")))
pq.write_table(naive, f"{folder}/naive.parquet", store_schema=False)
text = plain.set_column(0, "time", pc.strftime(table["time"], format="%Y-%m-%dT%H:%M:%SZ"))
pyarrow.csv.write_csv(text, f"{folder}/csv.csv")
