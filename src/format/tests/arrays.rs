//! npy and npz, read by ndarray-npy.

use std::io::Cursor;

use ndarray::{Array1, ShapeBuilder};
use ndarray_npy::{NpzReader, ReadNpyExt};

use super::*;

fn bits(array: &Array2<f64>) -> Array2<u64> {
    array.mapv(f64::to_bits)
}

fn read_npy(bytes: &[u8]) -> Array2<f64> {
    Array2::read_npy(bytes).unwrap()
}

fn npz(bytes: Vec<u8>) -> NpzReader<Cursor<Vec<u8>>> {
    NpzReader::new(Cursor::new(bytes)).unwrap()
}

#[test]
fn npy_holds_the_frame_bit_for_bit() {
    let bytes = window(&window_answer(), Format::Npy, Layout::Long).unwrap();
    assert_eq!(bytes[..8], *b"\x93NUMPY\x01\x00");
    assert_eq!(bits(&read_npy(&bytes)), bits(&values()));
}

#[test]
fn npy_is_in_c_order_whatever_the_order_in_memory() {
    let mut answer = window_answer();
    let mut columns_first = Array2::zeros(values().raw_dim().f());
    columns_first.assign(&values());
    answer.frame.values = columns_first;
    let bytes = window(&answer, Format::Npy, Layout::Long).unwrap();
    assert_eq!(bytes, window(&window_answer(), Format::Npy, Layout::Long).unwrap());
}

#[test]
fn npz_of_a_window_names_its_rows_and_columns() {
    let mut npz = npz(window(&window_answer(), Format::Npz, Layout::Long).unwrap());
    assert_eq!(npz.names().unwrap(), ["values", "series_id", "times"]);
    let read: Array2<f64> = npz.by_name("values").unwrap();
    let ids: Array1<i64> = npz.by_name("series_id").unwrap();
    let times: Array1<i64> = npz.by_name("times").unwrap();
    assert_eq!(bits(&read), bits(&values()));
    assert_eq!(ids.to_vec(), [1, 2, 7, i64::MAX]);
    assert_eq!(times.to_vec(), TIMES_US);
}

#[test]
fn npz_of_a_correlation_holds_r_n_ids_and_ranges() {
    let answer = correlate_answer();
    let bytes = correlate(&answer, None, Format::Npz).unwrap();
    let mut npz = npz(bytes);
    assert_eq!(npz.names().unwrap(), ["r", "n", "series_id", "ranges"]);
    let r: Array2<f64> = npz.by_name("r").unwrap();
    let n: Array2<i64> = npz.by_name("n").unwrap();
    let ranges: Array2<i64> = npz.by_name("ranges").unwrap();
    assert_eq!(bits(&r), bits(&answer.r));
    assert_eq!(n, answer.n);
    assert_eq!(
        ranges,
        array![[1_577_836_800_000_000, 1_609_459_200_000_000], [1_609_459_200_000_000, 1_640_995_200_000_000]]
    );
    assert_eq!(bits(&read_npy(&correlate(&answer, None, Format::Npy).unwrap())), bits(&answer.r));
}

#[test]
fn an_empty_window_keeps_its_two_axes() {
    let read = read_npy(&window(&empty_window(), Format::Npy, Layout::Long).unwrap());
    assert_eq!(read.shape(), [0, 0]);
}
