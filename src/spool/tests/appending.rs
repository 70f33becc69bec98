//! Limits, the lock, and many threads.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use super::{
    super::{Disk, Limit, Spool, SpoolError, SpoolOptions},
    frame,
    harness::OPTIONS,
    lines,
    model_fs::{Fault, Lie, ModelFs},
};

#[test]
fn a_second_owner_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let first = Spool::open(Disk, folder.path(), SpoolOptions::default()).unwrap();
    let second = Spool::open(Disk, folder.path(), SpoolOptions::default());
    assert!(matches!(second, Err(SpoolError::InUse(_))));
    drop(first);
    Spool::open(Disk, folder.path(), SpoolOptions::default()).unwrap();
}

#[test]
fn a_full_spool_takes_frames_again_once_the_database_has_some() {
    let options = SpoolOptions { max_bytes: 2_000, ..OPTIONS };
    let (spool, _) = Spool::open(ModelFs::new(Lie::None), Path::new("/spool"), options).unwrap();
    let mut number = 0;
    let full = loop {
        number += 1;
        match spool.append(&frame(number, &lines(number, 200))) {
            Ok(()) => assert!(spool.stats().disk_bytes <= options.max_bytes),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, SpoolError::Full(Limit::Size)) && number > 3, "{full} at {number}");
    while let Some(spooled) = spool.next().unwrap() {
        spool.advance(spooled.position()).unwrap();
    }
    spool.append(&frame(number, &lines(number, 200))).unwrap();
}

#[test]
fn space_reserved_for_others_stays_free() {
    let fs = ModelFs::new(Lie::None);
    let options = SpoolOptions { reserve_bytes: 10_000, ..OPTIONS };
    let (spool, _) = Spool::open(fs.clone(), Path::new("/spool"), options).unwrap();
    fs.set_free_bytes(10_100);
    let refused = spool.append(&frame(1, &lines(1, 200)));
    assert!(matches!(refused, Err(SpoolError::Full(Limit::Reserve))));
    assert!(!fs.names().iter().any(|name| name.ends_with(".seg")), "nothing is begun");
    fs.set_free_bytes(11_000);
    spool.append(&frame(1, &lines(1, 200))).unwrap();
}

#[test]
fn a_disk_without_any_space_is_emptied_also_after_a_restart() {
    let fs = ModelFs::new(Lie::None);
    let (mut spool, _) = Spool::open(fs.clone(), Path::new("/spool"), OPTIONS).unwrap();
    for number in 1..=9 {
        spool.append(&frame(number, &lines(number, 200))).unwrap();
    }
    fs.set_free_bytes(0);
    for number in 1..=9 {
        if number == 5 {
            drop(spool);
            spool = Spool::open(fs.clone(), Path::new("/spool"), OPTIONS).unwrap().0;
        }
        let spooled = spool.next().unwrap().unwrap();
        assert_eq!(spooled.frame().id.as_u128(), number);
        spool.advance(spooled.position()).unwrap();
    }
    assert_eq!(spool.next().unwrap(), None);
    assert!(!fs.names().iter().any(|name| name.ends_with(".seg")), "{:?}", fs.names());
}

#[test]
fn a_disk_that_is_full_for_long_is_not_littered_and_heals_without_a_restart() {
    let fs = ModelFs::new(Lie::None);
    let (spool, _) = Spool::open(fs.clone(), Path::new("/spool"), OPTIONS).unwrap();
    // The fourth operation is the folder's sync, the fifth the frame's write, the sixth its sync.
    for n in 1..=5 {
        for _ in 0..20 {
            fs.arm(n, Fault::Fails(ErrorKind::StorageFull));
            let refused = spool.append(&frame(1, &lines(1, 200)));
            assert!(matches!(refused, Err(SpoolError::Full(Limit::Disk))), "{n}: {refused:?}");
        }
    }
    assert!(!fs.names().iter().any(|name| name.ends_with(".seg")), "{:?}", fs.names());
    spool.append(&frame(2, &lines(2, 200))).unwrap();
    assert_eq!(spool.next().unwrap().unwrap().frame().spooled_us, 2_000);
}

#[test]
fn the_oldest_frame_tells_its_age_before_and_after_it_is_read() {
    let (spool, _) = Spool::open(ModelFs::new(Lie::None), Path::new("/spool"), OPTIONS).unwrap();
    assert_eq!(spool.stats().oldest_us, None);
    for number in [5, 6] {
        spool.append(&frame(number, &lines(number, 200))).unwrap();
    }
    assert_eq!(spool.stats().oldest_us, Some(5_000));
    let first = spool.next().unwrap().unwrap();
    assert_eq!(spool.stats().oldest_us, Some(5_000), "the database has not got it yet");
    spool.advance(first.position()).unwrap();
    assert_eq!((spool.stats().oldest_us, spool.stats().frames), (Some(6_000), 1));
}

#[test]
fn many_threads_append_while_one_drains_and_every_frame_arrives_once() {
    const THREADS: u32 = 8;
    const EACH: u32 = 50;
    let folder = tempfile::tempdir().unwrap();
    let options = SpoolOptions { reserve_bytes: 0, segment_bytes: 5_000, ..SpoolOptions::default() };
    let (spool, _) = Spool::open(Disk, folder.path(), options).unwrap();
    let running = AtomicU32::new(THREADS);
    let mut read = Vec::new();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (spool, running) = (&spool, &running);
            scope.spawn(move || {
                for number in thread * EACH + 1..=(thread + 1) * EACH {
                    spool.append(&frame(number, &lines(number, 300))).unwrap();
                }
                running.fetch_sub(1, Ordering::Release);
            });
        }
        loop {
            let was_running = running.load(Ordering::Acquire) > 0;
            match spool.next().unwrap() {
                Some(spooled) => {
                    read.push(u32::try_from(spooled.frame().id.as_u128()).unwrap());
                    spool.advance(spooled.position()).unwrap();
                }
                None if was_running => thread::yield_now(),
                None => break,
            }
        }
    });
    assert_eq!(read.len(), (THREADS * EACH) as usize);
    assert_eq!(read.iter().collect::<BTreeSet<_>>().len(), read.len());
    // One thread's frames keep their order.
    for thread in 0..THREADS {
        assert!(read.iter().filter(|number| (**number - 1) / EACH == thread).is_sorted());
    }
    let stats = spool.stats();
    assert_eq!((stats.frames, stats.disk_bytes), (0, 0));
}
