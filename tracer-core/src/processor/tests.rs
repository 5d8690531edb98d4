use super::*;

fn hidden(text: &str) -> Hidden {
    text.parse().unwrap()
}

#[test]
fn the_table_is_consistent() {
    for (place, feature) in FEATURES.iter().enumerate() {
        for name in feature.needs {
            let needed = needed(name).unwrap_or_else(|| panic!("{} needs {name}", feature.name));
            // A level has all that its features need.
            assert!(
                feature.level.is_none_or(|level| FEATURES[needed].level.is_some_and(|first| first <= level))
            );
        }
        let same = |other: &Feature| {
            other.name == feature.name
                || (other.leaf, other.register) == (feature.leaf, feature.register)
                    && other.bits & feature.bits != 0
        };
        assert_eq!(FEATURES.iter().position(same), Some(place), "{}", feature.name);
    }
}

#[test]
fn levels_hide_what_is_beyond() {
    let level = hidden("x86-64-v2");
    for name in ["avx", "xsave", "aes", "avx512f", "rdtscp", "a feature of tomorrow", "constant_tsc"] {
        assert!(level.hides(name), "{name}");
    }
    for name in ["sse4_2", "popcnt", "cx16", "pni"] {
        assert!(!level.hides(name), "{name}");
        assert!(hidden("x86-64").hides(name), "{name}");
    }
    assert!(!hidden("x86-64-v3").hides("avx2"));
    assert!(hidden("x86-64-v3").hides("avx512f"));
    assert!(!hidden("x86-64-v4").hides("avx512vl"));
}

#[test]
fn what_needs_a_hidden_feature_is_hidden() {
    let without = hidden("-avx");
    assert!(["avx2", "fma", "avx512f", "avx512_vnni", "vaes"].into_iter().all(|name| without.hides(name)));
    assert!(["sse4_2", "xsave", "constant_tsc"].into_iter().all(|name| !without.hides(name)));
    let with = hidden("x86-64-v2,+avx2,+aes");
    assert!(["avx2", "avx", "xsave", "aes"].into_iter().all(|name| !with.hides(name)));
    assert!(with.hides("vaes"));
}

#[test]
fn other_names_are_understood_and_others_are_not() {
    assert_eq!(hidden("-lzcnt,-sha"), hidden("-abm,-sha_ni"));
    for nonsense in ["", "avx2", "-", "-sse2", "x86-64-v5", "-avx2,x86-64-v2"] {
        assert!(nonsense.parse::<Hidden>().is_err(), "{nonsense:?}");
    }
}

#[test]
fn answers_lose_what_is_hidden() {
    let level = hidden("x86-64-v2");
    let mut basic = [1, 2, !0, !0];
    level.hide(1, 0, &mut basic);
    assert_eq!(basic[2] & (1 << 28 | 3 << 26 | 1 << 25 | 1 << 12), 0);
    assert_eq!(basic[2] & (1 << 20 | 1 << 23 | 1), 1 << 20 | 1 << 23 | 1);
    assert_eq!([basic[0], basic[1], basic[3]], [1, 2, !0]);
    let mut structured = [2, !0, !0, !0];
    level.hide(7, 0, &mut structured);
    assert_eq!(structured, [2, 0, 0, 0]);
    let mut listed = [2, !0, !0, !0];
    hidden("-avx512f").hide(7, 0, &mut listed);
    assert_eq!(listed[1] & (1 << 5 | 1 << 16), 1 << 5);
    let mut tiles = [1; 4];
    level.hide(0x1d, 0, &mut tiles);
    assert_eq!(tiles, [0; 4]);
}

#[test]
fn registers_go_with_their_features() {
    assert_eq!(hidden("x86-64-v2").components(), 0b11);
    assert_eq!(hidden("x86-64-v3").components(), 0b111);
    assert_eq!(hidden("x86-64-v4").components(), 0b1110_0111);
    assert_eq!(hidden("-avx512f").components(), !0b1110_0000);
}

#[test]
fn libc_is_told_beside_what_the_user_tells_it() {
    let tunables = |hidden: &str, present: &str| {
        String::from_utf8(self::hidden(hidden).tunables(present.as_bytes())).unwrap()
    };
    let (two, alone) = ("-bmi2,-erms", "glibc.cpu.hwcaps=-BMI2,-ERMS");
    assert_eq!(tunables(two, ""), alone);
    assert_eq!(tunables(two, alone), alone);
    assert_eq!(tunables(two, "glibc.malloc.check=1"), format!("glibc.malloc.check=1:{alone}"));
    assert_eq!(
        tunables(two, "glibc.cpu.hwcaps=BMI2:glibc.malloc.check=1"),
        "glibc.cpu.hwcaps=BMI2,-BMI2,-ERMS:glibc.malloc.check=1"
    );
    assert_eq!(tunables("-aes", "x"), "x");
}
