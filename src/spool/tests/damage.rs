//! What somebody, or a bad disk, has done to the files of a stopped service.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use uuid::Uuid;

use super::{
    super::{CursorFound, Disk, Recovery, Spool, SpoolError, SpoolOptions, SpoolStats},
    frame, lines,
};

const LINES_BYTES: usize = 200;
/// Marker, length, checksum, payload.
const FRAME_BYTES: usize = 8 + 8 + 51 + "line_protocol_http".len() + "öffentlich".len() + LINES_BYTES;
const HEADER_BYTES: usize = 64;
/// Three frames a segment.
const OPTIONS: SpoolOptions = SpoolOptions { max_bytes: 1 << 20, reserve_bytes: 0, segment_bytes: 1_000 };

/// A folder with frames 1 to 9 in segments 1 to 3.
fn nine_frames() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(Disk, folder.path(), OPTIONS).unwrap();
    for number in 1..=9 {
        spool.append(&frame(number, &lines(number, LINES_BYTES))).unwrap();
    }
    assert_eq!(spool.stats().segments, 3);
    folder
}

fn segment(folder: &TempDir, sequence: u64) -> PathBuf {
    folder.path().join(format!("{sequence:020}.seg"))
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Opens, reads everything and advances; what was found, the frames' numbers, and the figures at the end.
fn drain(folder: &TempDir) -> (Recovery, Vec<u32>, SpoolStats) {
    let (spool, recovery) = Spool::open(Disk, folder.path(), OPTIONS).unwrap();
    assert_eq!(spool.stats().frames, recovery.frames);
    let mut numbers = Vec::new();
    let mut last = None;
    while let Some(spooled) = spool.next().unwrap() {
        let number = u32::try_from(spooled.frame().id.as_u128()).unwrap();
        assert_eq!(spooled.frame(), frame(number, &lines(number, LINES_BYTES)));
        numbers.push(number);
        last = Some(spooled.position());
    }
    assert_eq!(recovery.frames, numbers.len() as u64);
    if let Some(position) = last {
        spool.advance(position).unwrap();
    }
    spool.next().unwrap();
    let stats = spool.stats();
    assert_eq!((stats.frames, stats.segments, stats.disk_bytes), (0, 0, 0));
    (recovery, numbers, stats)
}

#[test]
fn a_tail_cut_anywhere_costs_one_frame_and_is_cut_away() {
    for cut in 1..=FRAME_BYTES {
        let folder = nine_frames();
        edit(&segment(&folder, 3), |bytes| bytes.truncate(bytes.len() - cut));
        let (spool, recovery) = Spool::open(Disk, folder.path(), OPTIONS).unwrap();
        assert_eq!((recovery.frames, recovery.torn_bytes), (8, (FRAME_BYTES - cut) as u64));
        assert!(recovery.damaged.is_empty());
        drop(spool);
        let (recovery, numbers, _) = drain(&folder);
        assert_eq!(recovery.torn_bytes, 0, "it was cut away before");
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}

#[test]
fn a_flipped_bit_costs_its_frame_alone_and_names_it() {
    for at in HEADER_BYTES..HEADER_BYTES + FRAME_BYTES {
        let folder = nine_frames();
        edit(&segment(&folder, 2), |bytes| bytes[at] ^= 0x10);
        let (recovery, numbers, stats) = drain(&folder);
        assert_eq!(numbers, [1, 2, 3, 5, 6, 7, 8, 9], "byte {at}");
        assert_eq!(recovery.damaged.len(), 1);
        let damage = &recovery.damaged[0];
        assert_eq!((damage.offset, damage.bytes), (HEADER_BYTES as u64, FRAME_BYTES as u64));
        let has_id = at >= HEADER_BYTES + 32;
        assert!(!has_id || damage.id == Some(Uuid::from_u128(4)), "byte {at}: {damage:?}");
        assert_eq!(stats.quarantined_segments, 1);
        assert!(folder.path().join("quarantine").join(segment(&folder, 2).file_name().unwrap()).exists());
    }
}

#[test]
fn a_segment_with_damage_is_kept_also_if_another_process_comes_to_its_end() {
    let folder = nine_frames();
    edit(&segment(&folder, 1), |bytes| bytes[HEADER_BYTES + 40] ^= 1);
    let (spool, _) = Spool::open(Disk, folder.path(), OPTIONS).unwrap();
    let second = spool.next().unwrap().unwrap();
    spool.advance(second.position()).unwrap();
    drop(spool);
    let (recovery, numbers, stats) = drain(&folder);
    assert_eq!((recovery.damaged.len(), numbers), (0, vec![3, 4, 5, 6, 7, 8, 9]), "it was reported before");
    assert_eq!(stats.quarantined_segments, 1);
}

#[test]
fn a_flipped_bit_in_the_header_costs_nothing() {
    for at in 0..HEADER_BYTES {
        let folder = nine_frames();
        edit(&segment(&folder, 2), |bytes| bytes[at] ^= 0x01);
        assert_eq!(drain(&folder).1, [1, 2, 3, 4, 5, 6, 7, 8, 9], "byte {at}");
    }
}

#[test]
fn a_length_of_zero_costs_its_frame_alone() {
    let folder = nine_frames();
    let at = HEADER_BYTES + FRAME_BYTES + 8;
    edit(&segment(&folder, 2), |bytes| bytes[at..at + 4].fill(0));
    let (recovery, numbers, _) = drain(&folder);
    assert_eq!((recovery.damaged.len(), numbers), (1, vec![1, 2, 3, 4, 6, 7, 8, 9]));
}

#[test]
fn a_frame_within_a_damaged_frames_text_is_not_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(Disk, folder.path(), OPTIONS).unwrap();
    let mut inner = Vec::new();
    frame(66, b"forged").encode(&mut inner).unwrap();
    spool.append(&frame(1, &[b"CWspool\n".as_slice(), &inner].concat())).unwrap();
    spool.append(&frame(2, &lines(2, LINES_BYTES))).unwrap();
    drop(spool);
    edit(&segment(&folder, 1), |bytes| bytes[HEADER_BYTES + 8] ^= 1);
    assert_eq!(drain(&folder).1, [2]);
}

#[test]
fn without_a_cursor_or_with_a_damaged_one_everything_there_is_comes_again() {
    for (found, damage) in [
        (CursorFound::Absent, None),
        (CursorFound::Damaged, Some(3)),
        (CursorFound::Damaged, Some(20)),
        (CursorFound::Intact, Some(usize::MAX)),
    ] {
        let folder = nine_frames();
        let (spool, _) = Spool::open(Disk, folder.path(), OPTIONS).unwrap();
        let positions: Vec<_> = (0..5).map(|_| spool.next().unwrap().unwrap().position()).collect();
        spool.advance(positions[4]).unwrap();
        drop(spool);
        assert!(!segment(&folder, 1).exists(), "the database has all of it");
        let cursor = folder.path().join("cursor");
        match damage {
            None => fs::remove_file(&cursor).unwrap(),
            Some(usize::MAX) => {}
            Some(at) => edit(&cursor, |bytes| bytes[at] ^= 1),
        }
        let (recovery, numbers, _) = drain(&folder);
        let expected: &[u32] = if found == CursorFound::Intact { &[6, 7, 8, 9] } else { &[4, 5, 6, 7, 8, 9] };
        assert_eq!((recovery.cursor, numbers.as_slice(), recovery.missing_segments), (found, expected, 0));
    }
}

#[test]
fn a_cursor_whose_last_write_was_cut_off_is_the_one_before() {
    let folder = nine_frames();
    let (spool, _) = Spool::open(Disk, folder.path(), OPTIONS).unwrap();
    for _ in 0..2 {
        let position = spool.next().unwrap().unwrap().position();
        spool.advance(position).unwrap();
    }
    drop(spool);
    edit(&folder.path().join("cursor"), |bytes| bytes[4096 + 10..].fill(0));
    let (recovery, numbers, _) = drain(&folder);
    assert_eq!((recovery.cursor, numbers), (CursorFound::Intact, (2..=9).collect::<Vec<_>>()));
}

#[test]
fn a_missing_segment_is_counted_and_the_others_are_read() {
    let folder = nine_frames();
    fs::remove_file(segment(&folder, 2)).unwrap();
    let (recovery, numbers, _) = drain(&folder);
    assert_eq!((recovery.missing_segments, numbers), (1, vec![1, 2, 3, 7, 8, 9]));
}

#[test]
fn segments_under_each_others_names_are_set_aside_whole() {
    let folder = nine_frames();
    let aside = folder.path().join("aside");
    fs::rename(segment(&folder, 1), &aside).unwrap();
    fs::rename(segment(&folder, 2), segment(&folder, 1)).unwrap();
    fs::rename(&aside, segment(&folder, 2)).unwrap();
    let (recovery, numbers, stats) = drain(&folder);
    assert_eq!((recovery.quarantined.len(), recovery.missing_segments, numbers), (2, 0, vec![7, 8, 9]));
    assert_eq!(stats.quarantined_segments, 2);
    assert!(recovery.quarantined.iter().all(|path| path.exists()));
}

#[test]
fn empty_and_foreign_files_are_no_obstacle() {
    let folder = nine_frames();
    fs::write(segment(&folder, 2), b"").unwrap();
    fs::write(folder.path().join("4.seg"), b"not ours").unwrap();
    fs::write(folder.path().join("notes.txt"), b"not ours").unwrap();
    let (recovery, numbers, _) = drain(&folder);
    assert_eq!((numbers.as_slice(), recovery.empty), ([1, 2, 3, 7, 8, 9].as_slice(), vec![segment(&folder, 2)]));
    let names: Vec<_> = recovery.foreign_files.iter().map(|path| path.file_name().unwrap()).collect();
    assert_eq!(names, ["4.seg", "notes.txt"]);
    assert!(recovery.foreign_files.iter().all(|path| path.exists()));
}

#[test]
fn a_segment_of_zeros_is_set_aside() {
    let folder = nine_frames();
    edit(&segment(&folder, 1), |bytes| bytes.fill(0));
    let (recovery, numbers, _) = drain(&folder);
    assert_eq!((recovery.quarantined.len(), numbers), (1, vec![4, 5, 6, 7, 8, 9]));
}

#[test]
fn a_frame_that_is_set_aside_is_a_segment_that_another_spool_reads() {
    let folder = nine_frames();
    let (spool, _) = Spool::open(Disk, folder.path(), OPTIONS).unwrap();
    let fourth = (0..4).map(|_| spool.next().unwrap().unwrap()).last().unwrap();
    let aside = spool.set_aside(&fourth).unwrap();
    assert_eq!(spool.set_aside(&fourth).unwrap(), aside);
    assert_eq!(spool.stats().quarantined_segments, 1);
    spool.advance(fourth.position()).unwrap();
    drop(spool);
    assert_eq!(drain(&folder).1, [5, 6, 7, 8, 9]);
    assert!(aside.exists());

    let other = tempfile::tempdir().unwrap();
    let name = aside.file_name().unwrap().to_str().unwrap();
    let (sequence, _) = name.split_once('-').unwrap();
    fs::copy(&aside, other.path().join(format!("{sequence}.seg"))).unwrap();
    let (recovery, numbers, _) = drain(&other);
    assert_eq!((recovery.missing_segments, recovery.damaged.len(), numbers), (0, 0, vec![4]));
}

#[test]
fn a_frame_can_be_read_again_until_it_is_damaged_or_advanced_over() {
    let folder = nine_frames();
    let (spool, _) = Spool::open(Disk, folder.path(), OPTIONS).unwrap();
    let frames: Vec<_> = (0..5).map(|_| spool.next().unwrap().unwrap()).collect();
    for frame in &frames {
        assert_eq!(spool.read_again(frame.place()).unwrap().as_ref(), Some(frame));
    }
    edit(&segment(&folder, 2), |bytes| bytes[HEADER_BYTES + 30] ^= 1);
    assert_eq!(spool.read_again(frames[3].place()).unwrap(), None);
    assert_eq!(spool.stats().damaged_bytes, FRAME_BYTES as u64);
    assert_eq!(spool.read_again(frames[4].place()).unwrap().as_ref(), Some(&frames[4]));
    // What is before the second frame is finished, and no more than that.
    spool.advance(frames[1].place().start()).unwrap();
    assert_eq!(spool.stats().frames, 8);
    spool.advance(frames[2].place().end()).unwrap();
    assert_eq!(spool.read_again(frames[0].place()).unwrap(), None, "its segment is gone");
}

#[test]
fn a_segment_of_a_later_version_is_left_alone() {
    let folder = nine_frames();
    edit(&segment(&folder, 2), |bytes| {
        bytes[8] = 2;
        let checksum = crc32c::crc32c(&bytes[..28]);
        bytes[28..32].copy_from_slice(&checksum.to_le_bytes());
        bytes.copy_within(..32, 32);
    });
    let error = Spool::open(Disk, folder.path(), OPTIONS).unwrap_err();
    assert!(matches!(error, SpoolError::Version { version: 2, .. }), "{error}");
    assert!(segment(&folder, 2).exists());
}
