//! The values of a row, each from its hash alone.

/// Spreads the bits of a number over all of it (the finisher of SplitMix64): nearby numbers get unlike hashes.
pub(super) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The hash of the `index`th thing under a key.
pub(super) fn hash(key: u64, index: u64) -> u64 {
    mix(key.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// Uniform below `limit`, from the upper half of a hash; its bias is less than `limit` / 2^32.
pub(super) fn below(hash: u64, limit: u32) -> u32 {
    u32::try_from(((hash >> 32) * u64::from(limit)) >> 32).unwrap_or(0)
}

/// Uniform between -1 and 1.
pub(super) fn unit(hash: u64) -> f64 {
    // 53 bits, the precision of a float.
    (hash >> 11) as f64 / 4_503_599_627_370_496.0 - 1.0
}

/// What looks like a random walk, at any moment of it without those before: noise between -0.6 and 0.6 on grids of 2^8 to
/// 2^20 steps, interpolated, each grid's share by the square root of its width, as a walk's spread grows.
pub(super) fn walk(key: u64, step: u64) -> f64 {
    const GRIDS: [(u32, f64); 5] = [(20, 0.385), (17, 0.136), (14, 0.048), (11, 0.017), (8, 0.006)];
    GRIDS.iter().map(|&(width, share)| share * interpolated(key ^ u64::from(width), step, width)).sum()
}

fn interpolated(key: u64, step: u64, width: u32) -> f64 {
    let node = step >> width;
    let fraction = (step & ((1 << width) - 1)) as f64 / (1_u64 << width) as f64;
    let (from, to) = (unit(hash(key, node)), unit(hash(key, node + 1)));
    from + (to - from) * fraction
}

/// A float that loses a bit wherever one can be lost: mostly a random mantissa, one of 16 a special one.
pub(super) fn exact(hash: u64) -> f64 {
    /// Both zeros, the least and the greatest subnormal, the least normal, the greatest, neighbours of round numbers.
    const SPECIAL: [u64; 8] = [
        0x8000_0000_0000_0000,
        0x0000_0000_0000_0000,
        0x0000_0000_0000_0001,
        0x800f_ffff_ffff_ffff,
        0x0010_0000_0000_0000,
        0x7fef_ffff_ffff_ffff,
        0x4340_0000_0000_0001,
        0xbfef_ffff_ffff_ffff,
    ];
    const FRACTION: u64 = (1 << 52) - 1;
    if hash.is_multiple_of(16) {
        return f64::from_bits(SPECIAL[usize::try_from((hash >> 4) % 8).unwrap_or(0)]);
    }
    // Between 2^-32 and 2^31, of either sign.
    let exponent = 1023 - 32 + ((hash >> 52) & 63);
    f64::from_bits((hash & (1 << 63)) | (exponent << 52) | (hash & FRACTION))
}

/// Text that needs escapes somewhere, on one row of 16.
pub(super) fn note(hash: u64) -> Option<&'static str> {
    const NOTES: [&str; 8] = [
        r#"said "sell" at the close"#,
        r"C:\feeds\",
        "a,b=c d",
        "",
        "caf\u{e9} \u{65e5}\u{672c} \u{1f680}",
        "tab\there",
        r#"\""#,
        "null",
    ];
    hash.is_multiple_of(16).then(|| NOTES[usize::try_from((hash >> 4) % 8).unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_float_and_every_note_comes() {
        let bits: std::collections::BTreeSet<u64> = (0..10_000).map(|i| exact(hash(1, i)).to_bits()).collect();
        for special in [(-0.0_f64).to_bits(), 0, 1, f64::MAX.to_bits(), f64::MIN_POSITIVE.to_bits()] {
            assert!(bits.contains(&special), "{:e}", f64::from_bits(special));
        }
        assert!(bits.iter().all(|&bits| f64::from_bits(bits).is_finite()));
        let notes: std::collections::BTreeSet<_> = (0..10_000).filter_map(|i| note(hash(1, i))).collect();
        assert_eq!(notes.len(), 8);
    }

    #[test]
    fn a_walk_stays_in_its_bounds_and_takes_small_steps() {
        for step in (0..5_000_000).step_by(997) {
            let (here, next) = (walk(7, step), walk(7, step + 1));
            assert!(here.abs() <= 0.6 && (next - here).abs() < 0.001, "{step}: {here} {next}");
        }
    }
}
