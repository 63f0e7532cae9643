;; Turns rows of COPY's text format into rows of its binary format, for the types whose two forms are told apart by
;; their digits alone; the server then need not parse them. Whatever does not look exactly as PostgreSQL prints it is
;; not converted. Formats: src/backend/commands/copyto.c and the …_recv functions. Compiled by scripts/compile-wasm.ts.
(module
  ;; 0..1599: the kind of each column, as in row-encoder.ts. The caller says where input and output are; up to 16 bytes
  ;; behind the input are read, and up to 64 before the end of the output are not used.
  (memory (export "memory") 1)
  (global $columns (export "columns") (mut i32) (i32.const 0))
  ;; where the first row begins that is not converted, and where its output would
  (global $read (export "read") (mut i32) (i32.const 0))
  (global $written (export "written") (mut i32) (i32.const 0))
  (global $at (mut i32) (i32.const 0))
  (global $end (mut i32) (i32.const 0))
  (global $out (mut i32) (i32.const 0))
  (global $outEnd (mut i32) (i32.const 0))

  ;; Why encoding stops. 0: it does not; 1: the input ends; 2: the output is full; 3: this row can not be converted.

  (func (export "encode") (param $start i32) (param $end i32) (param $out i32) (param $outEnd i32) (result i32)
    (local $column i32) (local $status i32)
    (global.set $at (local.get $start))
    (global.set $end (local.get $end))
    (global.set $out (local.get $out))
    (global.set $outEnd (local.get $outEnd))
    (loop $row
      (global.set $read (global.get $at))
      (global.set $written (global.get $out))
      (if (i32.ge_u (global.get $at) (global.get $end)) (then (return (i32.const 1))))
      (if (call $isFull) (then (return (i32.const 2))))
      (i32.store8 (global.get $out) (i32.shr_u (global.get $columns) (i32.const 8)))
      (i32.store8 offset=1 (global.get $out) (global.get $columns))
      (global.set $out (i32.add (global.get $out) (i32.const 2)))
      (local.set $column (i32.const 0))
      (loop $next
        (local.set $status (call $field (i32.load8_u (local.get $column))))
        (if (local.get $status) (then (return (local.get $status))))
        (local.set $column (i32.add (local.get $column) (i32.const 1)))
        (if (i32.ne
              (i32.load8_u (global.get $at))
              (select (i32.const 10) (i32.const 9) (i32.eq (local.get $column) (global.get $columns))))
          (then (return (i32.const 3))))
        (global.set $at (i32.add (global.get $at) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $column) (global.get $columns))))
      (br $row))
    (unreachable))

  (func $isFull (result i32)
    (i32.gt_u (i32.add (global.get $out) (i32.const 64)) (global.get $outEnd)))

  ;; Converts up to the tab or line feed behind the field.
  (func $field (param $kind i32) (result i32)
    (local $stop i32)
    (if (call $isFull) (then (return (i32.const 2))))
    (if (i32.eq (i32.load8_u (global.get $at)) (i32.const 92)) (then ;; \N is null
      (if (i32.ge_u (i32.add (global.get $at) (i32.const 2)) (global.get $end)) (then (return (i32.const 1))))
      (if (i32.eq (i32.load8_u offset=1 (global.get $at)) (i32.const 78)) (then
        (i32.store (global.get $out) (i32.const -1))
        (global.set $out (i32.add (global.get $out) (i32.const 4)))
        (global.set $at (i32.add (global.get $at) (i32.const 2)))
        (return (i32.const 0))))))
    (if (i32.le_u (local.get $kind) (i32.const 1)) (then (return (call $text (local.get $kind)))))
    (if (i32.eq (local.get $kind) (i32.const 2)) (then (return (call $bytea))))
    (local.set $stop (call $special (global.get $at)))
    (if (i32.ge_u (local.get $stop) (global.get $end)) (then (return (i32.const 1))))
    (if (i32.eq (i32.load8_u (local.get $stop)) (i32.const 92)) (then (return (i32.const 3))))
    (if (i32.eqz (call $value (local.get $kind) (local.get $stop))) (then (return (i32.const 3))))
    (global.set $at (local.get $stop))
    (i32.const 0))

  ;; Which of 16 bytes are a tab, a line feed or a backslash.
  (func $specials (param $bytes v128) (result i32)
    (i8x16.bitmask
      (v128.or
        (i8x16.eq (local.get $bytes) (v128.const i8x16 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9))
        (v128.or
          (i8x16.eq (local.get $bytes) (v128.const i8x16 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10))
          (i8x16.eq (local.get $bytes) (v128.const i8x16 92 92 92 92 92 92 92 92 92 92 92 92 92 92 92 92))))))

  ;; Where the first of these is; at the end of the input or behind it if there is none.
  (func $special (param $at i32) (result i32)
    (local $mask i32)
    (loop $block
      (if (i32.ge_u (local.get $at) (global.get $end)) (then (return (local.get $at))))
      (local.set $mask (call $specials (v128.load align=1 (local.get $at))))
      (if (local.get $mask) (then (return (i32.add (local.get $at) (i32.ctz (local.get $mask))))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br $block))
    (unreachable))

  ;; Text, with its escapes undone; for jsonb (1) behind the number of its version.
  (func $text (param $version i32) (result i32)
    (local $lengthAt i32) (local $bytes v128) (local $mask i32) (local $count i32) (local $char i32)
    (local.set $lengthAt (global.get $out))
    (i32.store8 offset=4 (global.get $out) (i32.const 1))
    (global.set $out (i32.add (global.get $out) (i32.add (i32.const 4) (local.get $version))))
    (block $done (loop $block
      (if (call $isFull) (then (return (i32.const 2))))
      (if (i32.ge_u (global.get $at) (global.get $end)) (then (return (i32.const 1))))
      (local.set $bytes (v128.load align=1 (global.get $at)))
      (v128.store align=1 (global.get $out) (local.get $bytes))
      (local.set $mask (call $specials (local.get $bytes)))
      (local.set $count (select (i32.ctz (local.get $mask)) (i32.const 16) (local.get $mask)))
      (global.set $at (i32.add (global.get $at) (local.get $count)))
      (global.set $out (i32.add (global.get $out) (local.get $count)))
      (br_if $block (i32.eqz (local.get $mask)))
      (if (i32.ge_u (global.get $at) (global.get $end)) (then (return (i32.const 1))))
      (br_if $done (i32.ne (i32.load8_u (global.get $at)) (i32.const 92)))
      (if (i32.ge_u (i32.add (global.get $at) (i32.const 1)) (global.get $end)) (then (return (i32.const 1))))
      (local.set $char (call $unescaped (i32.load8_u offset=1 (global.get $at))))
      (if (i32.eqz (local.get $char)) (then (return (i32.const 3))))
      (i32.store8 (global.get $out) (local.get $char))
      (global.set $out (i32.add (global.get $out) (i32.const 1)))
      (global.set $at (i32.add (global.get $at) (i32.const 2)))
      (br $block)))
    (call $store32
      (local.get $lengthAt)
      (i32.sub (i32.sub (global.get $out) (local.get $lengthAt)) (i32.const 4)))
    (i32.const 0))

  ;; Of the letter behind a backslash; 0 for one that PostgreSQL does not write.
  (func $unescaped (param $letter i32) (result i32)
    (if (i32.eq (local.get $letter) (i32.const 92)) (then (return (i32.const 92))))
    (if (i32.eq (local.get $letter) (i32.const 98)) (then (return (i32.const 8))))
    (if (i32.eq (local.get $letter) (i32.const 116)) (then (return (i32.const 9))))
    (if (i32.eq (local.get $letter) (i32.const 110)) (then (return (i32.const 10))))
    (if (i32.eq (local.get $letter) (i32.const 118)) (then (return (i32.const 11))))
    (if (i32.eq (local.get $letter) (i32.const 102)) (then (return (i32.const 12))))
    (if (i32.eq (local.get $letter) (i32.const 114)) (then (return (i32.const 13))))
    (i32.const 0))

  ;; \\x and hexadecimal digits.
  (func $bytea (result i32)
    (local $lengthAt i32) (local $stop i32) (local $byte i32)
    (if (i32.ge_u (i32.add (global.get $at) (i32.const 3)) (global.get $end)) (then (return (i32.const 1))))
    (if (i32.ne (i32.and (i32.load align=1 (global.get $at)) (i32.const 0xffffff)) (i32.const 0x785c5c))
      (then (return (i32.const 3))))
    (local.set $lengthAt (global.get $out))
    (global.set $out (i32.add (global.get $out) (i32.const 4)))
    (global.set $at (i32.add (global.get $at) (i32.const 3)))
    (local.set $stop (call $special (global.get $at)))
    (if (i32.ge_u (local.get $stop) (global.get $end)) (then (return (i32.const 1))))
    (block $done (loop $pair
      (br_if $done (i32.ge_u (global.get $at) (local.get $stop)))
      (if (call $isFull) (then (return (i32.const 2))))
      (local.set $byte (call $hexByte (global.get $at)))
      (if (i32.gt_u (local.get $byte) (i32.const 255)) (then (return (i32.const 3))))
      (i32.store8 (global.get $out) (local.get $byte))
      (global.set $out (i32.add (global.get $out) (i32.const 1)))
      (global.set $at (i32.add (global.get $at) (i32.const 2)))
      (br $pair)))
    (if (i32.ne (global.get $at) (local.get $stop)) (then (return (i32.const 3))))
    (call $store32
      (local.get $lengthAt)
      (i32.sub (i32.sub (global.get $out) (local.get $lengthAt)) (i32.const 4)))
    (i32.const 0))

  ;; Above 255 if there are no two hexadecimal digits.
  (func $hexByte (param $at i32) (result i32)
    (i32.or
      (i32.shl (call $hexDigit (i32.load8_u (local.get $at))) (i32.const 4))
      (call $hexDigit (i32.load8_u offset=1 (local.get $at)))))

  (func $hexDigit (param $char i32) (result i32)
    (if (i32.lt_u (i32.sub (local.get $char) (i32.const 48)) (i32.const 10))
      (then (return (i32.sub (local.get $char) (i32.const 48)))))
    (if (i32.lt_u (i32.sub (local.get $char) (i32.const 97)) (i32.const 6))
      (then (return (i32.sub (local.get $char) (i32.const 87)))))
    (i32.const 256))

  (func $store32 (param $to i32) (param $value i32)
    (i32.store align=1 (local.get $to)
      (i32.or
        (i32.and (i32.rotl (local.get $value) (i32.const 8)) (i32.const 0x00ff00ff))
        (i32.and (i32.rotr (local.get $value) (i32.const 8)) (i32.const 0xff00ff00)))))

  (func $store16 (param $to i32) (param $value i32)
    (i32.store8 (local.get $to) (i32.shr_u (local.get $value) (i32.const 8)))
    (i32.store8 offset=1 (local.get $to) (local.get $value)))

  ;; Puts a number of 1, 2, 4 or 8 bytes behind its length. Always true.
  (func $put (param $value i64) (param $size i32) (result i32)
    (local $to i32)
    (call $store32 (global.get $out) (local.get $size))
    (local.set $to (i32.add (global.get $out) (i32.const 4)))
    (global.set $out (i32.add (local.get $to) (local.get $size)))
    (local.set $value
      (i64.shl (local.get $value) (i64.extend_i32_u (i32.sub (i32.const 64) (i32.shl (local.get $size) (i32.const 3))))))
    ;; what is behind it will be written over
    (call $store32 (local.get $to) (i32.wrap_i64 (i64.shr_u (local.get $value) (i64.const 32))))
    (call $store32 (i32.add (local.get $to) (i32.const 4)) (i32.wrap_i64 (local.get $value)))
    (i32.const 1))

  ;; The functions from here on return whether the field that ends at $stop could be converted.

  (func $value (param $kind i32) (param $stop i32) (result i32)
    (block $uuid (block $numeric (block $time (block $timestamptz (block $timestamp (block $date
      (block $int8 (block $int4 (block $int2 (block $bool
        (br_table $bool $int2 $int4 $int8 $date $timestamp $timestamptz $time $numeric $uuid
          (i32.sub (local.get $kind) (i32.const 3))))
        (return (call $bool (local.get $stop))))
        (return (call $int (local.get $stop) (i32.const 2))))
        (return (call $int (local.get $stop) (i32.const 4))))
        (return (call $int (local.get $stop) (i32.const 8))))
        (return (call $date (local.get $stop))))
        (return (call $timestamp (local.get $stop))))
        (return (call $timestamptz (local.get $stop))))
        (return (call $time (local.get $stop))))
        (return (call $numeric (local.get $stop))))
    (call $uuid (local.get $stop)))

  (func $length (param $stop i32) (result i32) (i32.sub (local.get $stop) (global.get $at)))

  (func $bool (param $stop i32) (result i32)
    (local $char i32)
    (local.set $char (i32.load8_u (global.get $at)))
    (if (i32.ne (call $length (local.get $stop)) (i32.const 1)) (then (return (i32.const 0))))
    (if (i32.and (i32.ne (local.get $char) (i32.const 116)) (i32.ne (local.get $char) (i32.const 102)))
      (then (return (i32.const 0))))
    (call $put (i64.extend_i32_u (i32.eq (local.get $char) (i32.const 116))) (i32.const 1)))

  (func $int (param $stop i32) (param $size i32) (result i32)
    (local $at i32) (local $negative i64) (local $value i64) (local $digit i32)
    (local.set $at (global.get $at))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 45)) (then
      (local.set $negative (i64.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))))
    ;; 19 digits do not overflow
    (if (i32.gt_u (i32.sub (i32.sub (local.get $stop) (local.get $at)) (i32.const 1)) (i32.const 18))
      (then (return (i32.const 0))))
    (loop $next
      (local.set $digit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
      (if (i32.gt_u (local.get $digit) (i32.const 9)) (then (return (i32.const 0))))
      (local.set $value
        (i64.add (i64.mul (local.get $value) (i64.const 10)) (i64.extend_i32_u (local.get $digit))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $stop))))
    (if (i64.gt_u
          (local.get $value)
          (i64.add
            (i64.shr_u
              (i64.const 0x7fffffffffffffff)
              (i64.extend_i32_u (i32.sub (i32.const 64) (i32.shl (local.get $size) (i32.const 3)))))
            (local.get $negative)))
      (then (return (i32.const 0))))
    (call $put
      (select
        (i64.sub (i64.const 0) (local.get $value))
        (local.get $value)
        (i32.wrap_i64 (local.get $negative)))
      (local.get $size)))

  ;; Two digits; above 99 if there are none.
  (func $two (param $at i32) (result i32)
    (local $tens i32) (local $ones i32)
    (local.set $tens (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
    (local.set $ones (i32.sub (i32.load8_u offset=1 (local.get $at)) (i32.const 48)))
    (if (i32.or (i32.gt_u (local.get $tens) (i32.const 9)) (i32.gt_u (local.get $ones) (i32.const 9)))
      (then (return (i32.const 1000000))))
    (i32.add (i32.mul (local.get $tens) (i32.const 10)) (local.get $ones)))

  ;; Days since 2000-01-01 of YYYY-MM-DD, as date2j() counts; the smallest number if it is no such date.
  (func $day (param $at i32) (result i32)
    (local $year i32) (local $month i32) (local $day i32) (local $longest i32) (local $century i32)
    (local.set $year
      (i32.add
        (i32.mul (call $two (local.get $at)) (i32.const 100))
        (call $two (i32.add (local.get $at) (i32.const 2)))))
    (local.set $month (call $two (i32.add (local.get $at) (i32.const 5))))
    (local.set $day (call $two (i32.add (local.get $at) (i32.const 8))))
    (if (i32.or
          (i32.or
            (i32.ne (i32.load8_u offset=4 (local.get $at)) (i32.const 45))
            (i32.ne (i32.load8_u offset=7 (local.get $at)) (i32.const 45)))
          (i32.or
            (i32.gt_u (i32.sub (local.get $year) (i32.const 1)) (i32.const 9998))
            (i32.gt_u (i32.sub (local.get $month) (i32.const 1)) (i32.const 11))))
      (then (return (i32.const 0x80000000))))
    ;; 31, 30 in April, June, September, November, and in February 28 or 29
    (local.set $longest
      (i32.sub (i32.const 31) (i32.and (i32.shr_u (i32.const 0xa50) (local.get $month)) (i32.const 1))))
    (if (i32.eq (local.get $month) (i32.const 2)) (then
      (local.set $longest
        (i32.add
          (i32.const 28)
          (i32.and
            (i32.eqz (i32.rem_u (local.get $year) (i32.const 4)))
            (i32.or
              (i32.ne (i32.rem_u (local.get $year) (i32.const 100)) (i32.const 0))
              (i32.eqz (i32.rem_u (local.get $year) (i32.const 400)))))))))
    (if (i32.gt_u (i32.sub (local.get $day) (i32.const 1)) (i32.sub (local.get $longest) (i32.const 1)))
      (then (return (i32.const 0x80000000))))
    (if (i32.gt_u (local.get $month) (i32.const 2))
      (then
        (local.set $month (i32.add (local.get $month) (i32.const 1)))
        (local.set $year (i32.add (local.get $year) (i32.const 4800))))
      (else
        (local.set $month (i32.add (local.get $month) (i32.const 13)))
        (local.set $year (i32.add (local.get $year) (i32.const 4799)))))
    (local.set $century (i32.div_u (local.get $year) (i32.const 100)))
    (i32.add
      (i32.add
        (i32.sub (i32.mul (local.get $year) (i32.const 365)) (i32.const 2483712)) ;; 32167 + 2451545
        (i32.sub
          (i32.add (i32.div_u (local.get $year) (i32.const 4)) (i32.div_u (local.get $century) (i32.const 4)))
          (local.get $century)))
      (i32.add (i32.div_u (i32.mul (i32.const 7834) (local.get $month)) (i32.const 256)) (local.get $day))))

  ;; Microseconds of HH:MM:SS with up to six further digits; negative if it is no such time.
  (func $clock (param $at i32) (param $stop i32) (result i64)
    (local $hour i32) (local $minute i32) (local $second i32) (local $fraction i32) (local $unit i32) (local $digit i32)
    (if (i32.lt_s (i32.sub (local.get $stop) (local.get $at)) (i32.const 8)) (then (return (i64.const -1))))
    (local.set $hour (call $two (local.get $at)))
    (local.set $minute (call $two (i32.add (local.get $at) (i32.const 3))))
    (local.set $second (call $two (i32.add (local.get $at) (i32.const 6))))
    (if (i32.or
          (i32.or
            (i32.ne (i32.load8_u offset=2 (local.get $at)) (i32.const 58))
            (i32.ne (i32.load8_u offset=5 (local.get $at)) (i32.const 58)))
          (i32.or
            (i32.gt_u (local.get $hour) (i32.const 23))
            (i32.or (i32.gt_u (local.get $minute) (i32.const 59)) (i32.gt_u (local.get $second) (i32.const 59)))))
      (then (return (i64.const -1))))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (if (i32.lt_u (local.get $at) (local.get $stop)) (then
      (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 46)) (then (return (i64.const -1))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (if (i32.gt_u (i32.sub (i32.sub (local.get $stop) (local.get $at)) (i32.const 1)) (i32.const 5))
        (then (return (i64.const -1))))
      (local.set $unit (i32.const 100000))
      (loop $next
        (local.set $digit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
        (if (i32.gt_u (local.get $digit) (i32.const 9)) (then (return (i64.const -1))))
        (local.set $fraction (i32.add (local.get $fraction) (i32.mul (local.get $digit) (local.get $unit))))
        (local.set $unit (i32.div_u (local.get $unit) (i32.const 10)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $at) (local.get $stop))))))
    (i64.add
      (i64.mul
        (i64.extend_i32_u
          (i32.add
            (i32.mul (i32.add (i32.mul (local.get $hour) (i32.const 60)) (local.get $minute)) (i32.const 60))
            (local.get $second)))
        (i64.const 1000000))
      (i64.extend_i32_u (local.get $fraction))))

  (func $date (param $stop i32) (result i32)
    (local $day i32)
    (if (i32.ne (call $length (local.get $stop)) (i32.const 10)) (then (return (i32.const 0))))
    (local.set $day (call $day (global.get $at)))
    (if (i32.eq (local.get $day) (i32.const 0x80000000)) (then (return (i32.const 0))))
    (call $put (i64.extend_i32_s (local.get $day)) (i32.const 4)))

  (func $timestamp (param $stop i32) (result i32)
    (local $day i32) (local $clock i64)
    (if (i32.lt_s (call $length (local.get $stop)) (i32.const 19)) (then (return (i32.const 0))))
    (if (i32.ne (i32.load8_u offset=10 (global.get $at)) (i32.const 32)) (then (return (i32.const 0))))
    (local.set $day (call $day (global.get $at)))
    (local.set $clock (call $clock (i32.add (global.get $at) (i32.const 11)) (local.get $stop)))
    (if (i32.or (i32.eq (local.get $day) (i32.const 0x80000000)) (i64.lt_s (local.get $clock) (i64.const 0)))
      (then (return (i32.const 0))))
    (call $put
      (i64.add (i64.mul (i64.extend_i32_s (local.get $day)) (i64.const 86400000000)) (local.get $clock))
      (i32.const 8)))

  ;; In UTC: with +00 behind it.
  (func $timestamptz (param $stop i32) (result i32)
    (if (i32.lt_s (call $length (local.get $stop)) (i32.const 22)) (then (return (i32.const 0))))
    (if (i32.ne
          (i32.and (i32.load align=1 (i32.sub (local.get $stop) (i32.const 3))) (i32.const 0xffffff))
          (i32.const 0x30302b))
      (then (return (i32.const 0))))
    (call $timestamp (i32.sub (local.get $stop) (i32.const 3))))

  (func $time (param $stop i32) (result i32)
    (local $clock i64)
    (local.set $clock (call $clock (global.get $at) (local.get $stop)))
    (if (i64.lt_s (local.get $clock) (i64.const 0)) (then (return (i32.const 0))))
    (call $put (local.get $clock) (i32.const 8)))

  ;; Groups of four decimal digits to both sides of the point, the weight of the first, the sign, the digits behind the
  ;; point. Zeros at either end are cut off by the server.
  (func $numeric (param $stop i32) (result i32)
    (local $at i32) (local $sign i32) (local $char i32) (local $point i32) (local $groups i32) (local $group i32)
    (local $to i32) (local $filled i32) (local $scale i32)
    (local.set $at (global.get $at))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 45)) (then
      (local.set $sign (i32.const 0x4000))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))))
    ;; so that the output has room for it
    (if (i32.gt_u (call $length (local.get $stop)) (i32.const 64)) (then (return (i32.const 0))))
    (local.set $point (local.get $at))
    (block $found (loop $next
      (br_if $found (i32.ge_u (local.get $point) (local.get $stop)))
      (br_if $found (i32.eq (i32.load8_u (local.get $point)) (i32.const 46)))
      (local.set $point (i32.add (local.get $point) (i32.const 1)))
      (br $next)))
    (if (i32.eq (local.get $point) (local.get $at)) (then (return (i32.const 0))))
    (if (i32.lt_u (local.get $point) (local.get $stop))
      (then (local.set $scale (i32.sub (i32.sub (local.get $stop) (local.get $point)) (i32.const 1)))))
    ;; the first group is short if the digits before the point are no multiple of four
    (local.set $filled (i32.and (i32.sub (local.get $at) (local.get $point)) (i32.const 3)))
    (call $store16
      (i32.add (global.get $out) (i32.const 6))
      (i32.sub
        (i32.shr_u (i32.add (i32.sub (local.get $point) (local.get $at)) (i32.const 3)) (i32.const 2))
        (i32.const 1)))
    (call $store16 (i32.add (global.get $out) (i32.const 8)) (local.get $sign))
    (call $store16 (i32.add (global.get $out) (i32.const 10)) (local.get $scale))
    (local.set $to (i32.add (global.get $out) (i32.const 12)))
    (loop $next
      (if (i32.ne (local.get $at) (local.get $point)) (then
        (local.set $char (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
        (if (i32.gt_u (local.get $char) (i32.const 9)) (then (return (i32.const 0))))
        (local.set $group (i32.add (i32.mul (local.get $group) (i32.const 10)) (local.get $char)))
        (local.set $filled (i32.add (local.get $filled) (i32.const 1)))
        (if (i32.eq (local.get $filled) (i32.const 4)) (then
          (call $store16 (local.get $to) (local.get $group))
          (local.set $to (i32.add (local.get $to) (i32.const 2)))
          (local.set $groups (i32.add (local.get $groups) (i32.const 1)))
          (local.set $group (i32.const 0))
          (local.set $filled (i32.const 0))))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $stop))))
    (if (local.get $filled) (then
      (loop $pad
        (local.set $group (i32.mul (local.get $group) (i32.const 10)))
        (local.set $filled (i32.add (local.get $filled) (i32.const 1)))
        (br_if $pad (i32.lt_u (local.get $filled) (i32.const 4))))
      (call $store16 (local.get $to) (local.get $group))
      (local.set $to (i32.add (local.get $to) (i32.const 2)))
      (local.set $groups (i32.add (local.get $groups) (i32.const 1)))))
    (call $store32
      (global.get $out)
      (i32.sub (i32.sub (local.get $to) (global.get $out)) (i32.const 4)))
    (call $store16 (i32.add (global.get $out) (i32.const 4)) (local.get $groups))
    (global.set $out (local.get $to))
    (i32.const 1))

  (func $uuid (param $stop i32) (result i32)
    (local $at i32) (local $to i32) (local $byte i32)
    (if (i32.ne (call $length (local.get $stop)) (i32.const 36)) (then (return (i32.const 0))))
    (local.set $at (global.get $at))
    (call $store32 (global.get $out) (i32.const 16))
    (local.set $to (i32.add (global.get $out) (i32.const 4)))
    (global.set $out (i32.add (global.get $out) (i32.const 20)))
    (loop $next
      ;; a hyphen stands before the 5th, 7th, 9th and 11th byte
      (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 45)) (then
        (if (i32.eqz (i32.and
              (i32.shr_u (i32.const 0x550) (i32.sub (i32.const 16) (i32.sub (global.get $out) (local.get $to))))
              (i32.const 1)))
          (then (return (i32.const 0))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))))
      (local.set $byte (call $hexByte (local.get $at)))
      (if (i32.gt_u (local.get $byte) (i32.const 255)) (then (return (i32.const 0))))
      (i32.store8 (local.get $to) (local.get $byte))
      (local.set $at (i32.add (local.get $at) (i32.const 2)))
      (local.set $to (i32.add (local.get $to) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $to) (global.get $out))))
    (i32.eq (local.get $at) (local.get $stop))))
