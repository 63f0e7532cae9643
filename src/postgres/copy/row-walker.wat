;; Walks the server's messages during COPY TO STDOUT: strips the CopyData headers in place and sums the xxh64 (seed 0)
;; of every payload. A row that is split over two pieces is hashed as a stream, so nothing is ever kept back.
;; xxh64 as in https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md. Compiled by scripts/compile-wasm.ts.
(module
  (memory (export "memory") 4)
  ;; 0..31 holds the bytes of an unfinished 32-byte stripe; the caller puts pieces at 1024.
  (global $remaining (mut i32) (i32.const 0))
  (global $out (export "out") (mut i32) (i32.const 0))
  (global $rows (export "rows") (mut i64) (i64.const 0))
  (global $bytes (export "bytes") (mut i64) (i64.const 0))
  (global $sum (export "sum") (mut i64) (i64.const 0))
  (global $v1 (mut i64) (i64.const 0))
  (global $v2 (mut i64) (i64.const 0))
  (global $v3 (mut i64) (i64.const 0))
  (global $v4 (mut i64) (i64.const 0))
  (global $kept (mut i32) (i32.const 0))
  (global $total (mut i64) (i64.const 0))

  (func $round (param $accumulator i64) (param $lane i64) (result i64)
    (i64.mul
      (i64.rotl
        (i64.add (local.get $accumulator) (i64.mul (local.get $lane) (i64.const 0xC2B2AE3D27D4EB4F)))
        (i64.const 31))
      (i64.const 0x9E3779B185EBCA87)))

  (func $merge (param $hash i64) (param $accumulator i64) (result i64)
    (i64.add
      (i64.mul
        (i64.xor (local.get $hash) (call $round (i64.const 0) (local.get $accumulator)))
        (i64.const 0x9E3779B185EBCA87))
      (i64.const 0x85EBCA77C2B2AE63)))

  (func $converge (param $v1 i64) (param $v2 i64) (param $v3 i64) (param $v4 i64) (result i64)
    (call $merge (call $merge (call $merge (call $merge
      (i64.add
        (i64.add (i64.rotl (local.get $v1) (i64.const 1)) (i64.rotl (local.get $v2) (i64.const 7)))
        (i64.add (i64.rotl (local.get $v3) (i64.const 12)) (i64.rotl (local.get $v4) (i64.const 18))))
      (local.get $v1)) (local.get $v2)) (local.get $v3)) (local.get $v4)))

  ;; The last steps: fewer than 32 bytes at $at, mixed into $hash (the total length already added).
  (func $finish (param $hash i64) (param $at i32) (param $length i32) (result i64)
    (local $end i32)
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (block $done8 (loop $by8
      (br_if $done8 (i32.gt_u (i32.add (local.get $at) (i32.const 8)) (local.get $end)))
      (local.set $hash
        (i64.add
          (i64.mul
            (i64.rotl
              (i64.xor (local.get $hash) (call $round (i64.const 0) (i64.load align=1 (local.get $at))))
              (i64.const 27))
            (i64.const 0x9E3779B185EBCA87))
          (i64.const 0x85EBCA77C2B2AE63)))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br $by8)))
    (if (i32.le_u (i32.add (local.get $at) (i32.const 4)) (local.get $end)) (then
      (local.set $hash
        (i64.add
          (i64.mul
            (i64.rotl
              (i64.xor
                (local.get $hash)
                (i64.mul (i64.load32_u align=1 (local.get $at)) (i64.const 0x9E3779B185EBCA87)))
              (i64.const 23))
            (i64.const 0xC2B2AE3D27D4EB4F))
          (i64.const 0x165667B19E3779F9)))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))))
    (block $done1 (loop $by1
      (br_if $done1 (i32.ge_u (local.get $at) (local.get $end)))
      (local.set $hash
        (i64.mul
          (i64.rotl
            (i64.xor (local.get $hash) (i64.mul (i64.load8_u (local.get $at)) (i64.const 0x27D4EB2F165667C5)))
            (i64.const 11))
          (i64.const 0x9E3779B185EBCA87)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $by1)))
    (local.set $hash
      (i64.mul
        (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 33)))
        (i64.const 0xC2B2AE3D27D4EB4F)))
    (local.set $hash
      (i64.mul
        (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 29)))
        (i64.const 0x165667B19E3779F9)))
    (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 32))))

  (func $xxh64 (param $at i32) (param $length i32) (result i64)
    (local $hash i64) (local $limit i32) (local $rest i32)
    (local $v1 i64) (local $v2 i64) (local $v3 i64) (local $v4 i64)
    (local.set $rest (local.get $length))
    (if (i32.ge_u (local.get $length) (i32.const 32))
      (then
        (local.set $v1 (i64.const 0x60EA27EEADC0B5D6))
        (local.set $v2 (i64.const 0xC2B2AE3D27D4EB4F))
        (local.set $v3 (i64.const 0))
        (local.set $v4 (i64.const 0x61C8864E7A143579))
        (local.set $limit (i32.sub (i32.add (local.get $at) (local.get $length)) (i32.const 32)))
        (loop $stripe
          (local.set $v1 (call $round (local.get $v1) (i64.load align=1 (local.get $at))))
          (local.set $v2 (call $round (local.get $v2) (i64.load offset=8 align=1 (local.get $at))))
          (local.set $v3 (call $round (local.get $v3) (i64.load offset=16 align=1 (local.get $at))))
          (local.set $v4 (call $round (local.get $v4) (i64.load offset=24 align=1 (local.get $at))))
          (local.set $at (i32.add (local.get $at) (i32.const 32)))
          (local.set $rest (i32.sub (local.get $rest) (i32.const 32)))
          (br_if $stripe (i32.le_u (local.get $at) (local.get $limit))))
        (local.set $hash (call $converge (local.get $v1) (local.get $v2) (local.get $v3) (local.get $v4))))
      (else (local.set $hash (i64.const 0x27D4EB2F165667C5))))
    (call $finish
      (i64.add (local.get $hash) (i64.extend_i32_u (local.get $length)))
      (local.get $at)
      (local.get $rest)))

  (func $streamBegin
    (global.set $v1 (i64.const 0x60EA27EEADC0B5D6))
    (global.set $v2 (i64.const 0xC2B2AE3D27D4EB4F))
    (global.set $v3 (i64.const 0))
    (global.set $v4 (i64.const 0x61C8864E7A143579))
    (global.set $kept (i32.const 0))
    (global.set $total (i64.const 0)))

  (func $streamStripe (param $at i32)
    (global.set $v1 (call $round (global.get $v1) (i64.load align=1 (local.get $at))))
    (global.set $v2 (call $round (global.get $v2) (i64.load offset=8 align=1 (local.get $at))))
    (global.set $v3 (call $round (global.get $v3) (i64.load offset=16 align=1 (local.get $at))))
    (global.set $v4 (call $round (global.get $v4) (i64.load offset=24 align=1 (local.get $at)))))

  (func $streamUpdate (param $at i32) (param $length i32)
    (local $take i32)
    (global.set $total (i64.add (global.get $total) (i64.extend_i32_u (local.get $length))))
    (if (global.get $kept) (then
      (local.set $take (i32.sub (i32.const 32) (global.get $kept)))
      (if (i32.lt_u (local.get $length) (local.get $take)) (then (local.set $take (local.get $length))))
      (memory.copy (global.get $kept) (local.get $at) (local.get $take))
      (global.set $kept (i32.add (global.get $kept) (local.get $take)))
      (local.set $at (i32.add (local.get $at) (local.get $take)))
      (local.set $length (i32.sub (local.get $length) (local.get $take)))
      (if (i32.lt_u (global.get $kept) (i32.const 32)) (then (return)))
      (call $streamStripe (i32.const 0))
      (global.set $kept (i32.const 0))))
    (block $done (loop $stripe
      (br_if $done (i32.lt_u (local.get $length) (i32.const 32)))
      (call $streamStripe (local.get $at))
      (local.set $at (i32.add (local.get $at) (i32.const 32)))
      (local.set $length (i32.sub (local.get $length) (i32.const 32)))
      (br $stripe)))
    (memory.copy (i32.const 0) (local.get $at) (local.get $length))
    (global.set $kept (local.get $length)))

  (func $streamDigest (result i64)
    (call $finish
      (i64.add
        (if (result i64) (i64.ge_u (global.get $total) (i64.const 32))
          (then (call $converge (global.get $v1) (global.get $v2) (global.get $v3) (global.get $v4)))
          (else (i64.const 0x27D4EB2F165667C5)))
        (global.get $total))
      (i32.const 0)
      (global.get $kept)))

  (func $countRow (param $hash i64)
    (global.set $sum (i64.add (global.get $sum) (local.get $hash)))
    (global.set $rows (i64.add (global.get $rows) (i64.const 1))))

  ;; Consumes the messages in $length bytes at $start; payloads end up at $start..$out. Returns the bytes consumed.
  (func (export "walk") (param $start i32) (param $length i32) (result i32)
    (local $at i32) (local $end i32) (local $size i32)
    (local.set $at (local.get $start))
    (local.set $end (i32.add (local.get $start) (local.get $length)))
    (global.set $out (local.get $start))
    (block $stop (loop $next
      (if (global.get $remaining)
        (then
          (local.set $size (i32.sub (local.get $end) (local.get $at)))
          (br_if $stop (i32.eqz (local.get $size)))
          (if (i32.lt_u (global.get $remaining) (local.get $size)) (then (local.set $size (global.get $remaining))))
          (call $streamUpdate (local.get $at) (local.get $size))
          (global.set $remaining (i32.sub (global.get $remaining) (local.get $size)))
          (if (i32.eqz (global.get $remaining)) (then (call $countRow (call $streamDigest)))))
        (else
          (br_if $stop (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 5)))
          (br_if $stop (i32.ne (i32.load8_u (local.get $at)) (i32.const 100))) ;; 'd'
          (local.set $size
            (i32.sub
              (i32.or
                (i32.or
                  (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 24))
                  (i32.shl (i32.load8_u offset=2 (local.get $at)) (i32.const 16)))
                (i32.or
                  (i32.shl (i32.load8_u offset=3 (local.get $at)) (i32.const 8))
                  (i32.load8_u offset=4 (local.get $at))))
              (i32.const 4)))
          (if (i32.lt_s (local.get $size) (i32.const 0)) (then unreachable)) ;; not a length the protocol allows
          (local.set $at (i32.add (local.get $at) (i32.const 5)))
          (if (i32.gt_u (local.get $size) (i32.sub (local.get $end) (local.get $at)))
            (then
              (call $streamBegin)
              (global.set $remaining (local.get $size))
              (br $next)))
          (call $countRow (call $xxh64 (local.get $at) (local.get $size)))))
      (memory.copy (global.get $out) (local.get $at) (local.get $size))
      (global.set $bytes (i64.add (global.get $bytes) (i64.extend_i32_u (local.get $size))))
      (global.set $out (i32.add (global.get $out) (local.get $size)))
      (local.set $at (i32.add (local.get $at) (local.get $size)))
      (br $next)))
    (i32.sub (local.get $at) (local.get $start))))
