//! The agent's program: the Python that runs on the board while files are looked at or moved.
//!
//! It is put together from the parts that a task needs, so that a slow line carries no more. Names
//! are short for the same reason. The frames that it reads are drawn in `agent`.

use super::pack::deflated;

/// What an agent can do; a set of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts(u8);

impl Parts {
    /// Saying what paths are: `N`, briefly `B`.
    pub(crate) const LOOK: Parts = Parts(1);
    /// Writing files, making folders, free space: `O`, `D`, `Z`, `z`, `X`, `M`, `S`.
    pub(crate) const WRITE: Parts = Parts(2);
    /// Listing, removing, renaming: `L`, `R`, `V`.
    pub(crate) const MANAGE: Parts = Parts(4);
    /// Reading files: `G`.
    pub(crate) const READ: Parts = Parts(8);

    pub(crate) fn and(self, other: Parts) -> Parts {
        Parts(self.0 | other.0)
    }

    pub(crate) fn has(self, other: Parts) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What the agent reads first where the line is tried: how many times which bytes. No buffer of a UART is so large.
const TRIAL: (usize, std::ops::RangeInclusive<u8>) = (32, 0x80..=0xff);
/// The byte that ends what is sent to make up for those.
pub(super) const TRIAL_ENDS: u8 = 0;
/// The unit of an agent on a line that keeps what is not read: no frame is larger.
pub(super) const WHOLE_FRAMES: usize = 1 << 15;

/// What is sent to try the line.
pub(super) fn trial() -> Vec<u8> {
    TRIAL.1.collect::<Vec<_>>().repeat(TRIAL.0)
}

/// The code that starts the agent, which acknowledges every `unit` bytes and first tries the line if so told.
pub(super) fn call(unit: usize, trial: bool) -> String {
    format!("try:_ua({unit},{})\nfinally:del _ua\n", u8::from(trial))
}

/// `X` fills a buffer from the line.
const HEAD: &str = "
def _ua(W,N):
 import sys,os
 R=getattr(sys.stdin,'buffer',sys.stdin).readinto
 w=sys.stdout.write
 B=memoryview(bytearray(1024))
 H=memoryview(bytearray(7))
 def X(m):
  n=len(m)
  while n:n-=R(m[-n:])
";

/// What an agent needs first that writes files: `U` throws an unfinished one away. The greeting is `I`: how many bits
/// the distance back in deflated data may have, by the free memory, whether blocks may be deflated, whether the line
/// keeps what is not read.
const WRITE_HEAD: &str = "
 import gc
 f=P=d=E=h=F=0
 def U(f,P):
  if f:
   f.close()
   try:os.remove(P)
   except OSError:0
 i=gc.mem_free()
 if i<200000:
  gc.collect()
  i=gc.mem_free()
 L=15 if i>160000 else 14 if i>110000 else 13 if i>80000 else 12 if i>40000 else 10
 if N:
  for i in range(2000):0
  b=bytearray(4096)
  X(memoryview(b))
  if b==bytes(range(128,256))*32:W=1<<15
 w('\\x1fI%d %d %d\\n'%(L,1 if Z else 0,W>>15))
 while N:X(H[6:]);N=H[6]
";

/// The greeting of all others, to which no data will come: counting the free memory takes a while where there is much.
const GREETING: &str = "
 w('\\x1fI9 0 0\\n')
";

/// A frame in units of `W` bytes is acknowledged with 0x06 each.
const READ_FRAMES: &str = "
 try:
  while 1:
   X(H)
   k,c,n,p,q,r,s=H
   if k^c^n^p^q^r|128!=s:raise ValueError
   n=(c&127)<<7|n&127
   b=bytearray(n)
   m=memoryview(b)
   i=0
   j=W-7
   while 1:
    x=m[i:j]
    i=R(x)
    if i<len(x):X(x[i:])
    w('\\x06')
    i=j
    j+=W
    if i>=n:break
   m=x=0
   if p:b=bytes(b).replace(bytes((p,q)),b'\\3').replace(bytes((p,r)),b'\\r')
   try:
";

/// What a frame of data holds goes into the file.
const DATA: &str = "
    if k in(68,90,122):
     if not f:continue
     n=len(b)
     if k==68:
      if f.write(b)!=n:raise OSError(28)
      o-=n
     else:
      if k==90:
       d=h=0
       E=Q()
       d=Z(E,1,L)
      j=E.read(h-E.tell())
      E.seek(0)
      h=E.write(j)+E.write(memoryview(b)[2:])
      E.seek(0)
      n=b[0]<<8|b[1]
      o-=n
      while n:
       i=d.readinto(B[:min(n,1024)])
       if not i:raise OSError(5)
       if f.write(B[:i])!=i:raise OSError(28)
       n-=i
    else:
";

/// What any other holds is an order.
const ORDER: &str = "
    a=bytes(b).decode()
    if K(b[:-6])!=a[-6:]:raise ValueError
    a=a[:-6].split('\\0')
    if k==81:return
";

const TAIL: &str = "
    w('\\x1fK\\n')
   except (OSError,MemoryError) as e:
    w('\\x1fE%s\\n'%(e.args[0] if isinstance(e,OSError) else 12))
";

/// How it ends: with its unfinished file removed, if it writes any.
const WRITE_END: &str = "
    f=U(f,P)
    F=k in(68,79,90,122)
 finally:U(f,P)
";
const END: &str = "
 finally:0
";

/// `K(bytes)`: what an order ends with. `Y(file, l)`: size of what is left in a file, and the reply that says so with
/// the first `l` bytes of its SHA-256.
const SHA: &str = "
 from hashlib import sha256
 from binascii import hexlify
 def K(b):return hexlify(sha256(b).digest()[:3]).decode()
 def Y(f,l=32):
  h=sha256()
  n=0
  while 1:
   i=f.readinto(B)
   if not i:return n,'F%d s%s'%(n,hexlify(h.digest()[:l]).decode())
   n+=i
   h.update(B[:i])
";

/// The same for boards without `hashlib`: size and CRC-32, where need be by half bytes.
const CRC: &str = "
 try:from binascii import crc32 as u
 except ImportError:
  T=[]
  for i in range(16):
   c=i
   for _ in range(4):c=c>>1^(0xedb88320 if c&1 else 0)
   T.append(c)
  def u(m,c):
   c^=0xffffffff
   for b in m:
    c^=b
    c=c>>4^T[c&15]
    c=c>>4^T[c&15]
   return c^0xffffffff
 def K(b):return '%06x'%(u(b,0)&0xffffff)
 def Y(f,l=0):
  n=h=0
  while 1:
   i=f.readinto(B)
   if not i:return n,'F%d c%08x'%(n,h&0xffffffff)
   n+=i
   h=u(B[:i],h)
";

/// Inflating, where the firmware has it (MicroPython 1.21 and later).
const INFLATE: &str = "
 Z=0
 try:
  from deflate import DeflateIO as Z
  from io import BytesIO as Q
 except ImportError:0
";

/// A folder looks missing to FAT where it is opened as a file; looking up a name twice takes longer than its checksum.
/// Replies go out together, for each write costs every program and chip on the way a turn, but not later than after
/// 32 KB of files: those who wait want a sign of life.
const LOOK: &str = "
    if k in(78,66):
     y,z='',0
     for x in a:
      try:
       try:
        with open(x,'rb') as g:i,o=Y(g,8 if k==66 else 32)
        z+=i
       except OSError as e:
        o='D'
        if not os.stat(x)[0]&16384:raise e
      except (OSError,MemoryError) as e:o='E%s'%(e.args[0] if isinstance(e,OSError) else 12)
      y+='\\x1f%s\\n'%o
      if z+64*len(y)>32767:
       w(y)
       y,z='',0
     w(y)
";

/// `O` target, size and checksum, whether the target may be a folder (which FAT would replace). The file is done when
/// as many bytes have come; `E-1`: others than were sent. After an error nothing is written until `X` has come.
const WRITE: &str = "
    if k==79:
     if F:continue
     A,S,x=a
     P=A[:A.rfind('/')+1]+'.umqtt-part'
     try:
      if x and os.stat(A)[0]&16384:raise OSError(21)
     except OSError as e:
      if e.args[0]!=2:raise
     f=open(P,'wb')
     o=int(S.split()[0])
    if k in(68,79,90,122):
     if o>0:continue
     f.close()
     with open(P,'rb') as g:i,x=Y(g)
     if x[1:]!=S:raise OSError(-1)
     os.rename(P,A)
     if hasattr(os,'sync'):os.sync()
     f=0
    if k==88:f=F=U(f,P)
    if k==77:
     for x in a:
      try:os.mkdir(x)
      except OSError as e:
       try:
        if not os.stat(x)[0]&16384:raise OSError(20)
       except OSError as g:raise g if g.args[0]==20 else e
    if k==83:
     for x in a:
      try:
       v=os.statvfs(x or os.getcwd())
       w('\\x1fS%d %d %d %d\\n'%(v[1] or v[0],v[2],v[3],v[4]))
      except (OSError,AttributeError):w('\\x1fS0 0 0 0\\n')
";

/// `L` folder, `1` for all below; `R` path, `1` for all below; `V` old and new name.
const MANAGE: &str = "
    if k==76:
     def l(p,z):
      if hasattr(os,'ilistdir'):I=os.ilistdir(p)
      else:I=((n,0) for n in os.listdir(p))
      for e in I:
       n=e[0]
       t=e[1]
       s=e[3] if len(e)>3 else -1
       o=(p if p[-1:]=='/' else p+'/')+n if p else n
       if t==0 or s<0 and t!=16384:
        s=os.stat(o)
        t=s[0]
        s=s[6]
       w('\\x1fN%d %d %s\\n'%(1 if t&16384 else 0,s,''.join('%02x'%x for x in (z+n).encode())))
       if t&16384 and a[1]:l(o,z+n+'/')
     l(a[0],'')
    if k==82:
     def l(p):
      if os.stat(p)[0]&16384:
       if a[1]:
        for n in os.listdir(p):l(p+'/'+n)
       os.rmdir(p)
      else:os.remove(p)
     l(a[0])
    if k==86:os.rename(a[0],a[1])
";

const READ: &str = "
    if k==71:
     try:
      from binascii import b2a_base64
      t=lambda b:'B'+b2a_base64(b).decode().strip()
     except ImportError:t=lambda b:'X'+''.join('%02x'%x for x in b)
     v=os.stat(a[0])
     if v[0]&16384:raise OSError(21)
     w('\\x1fN%d\\n'%v[6])
     with open(a[0],'rb') as g:
      while 1:
       i=g.readinto(B[:768])
       if not i:break
       w('\\x1f%s\\n'%t(B[:i]))
      g.seek(0)
      w('\\x1f%s\\n'%Y(g)[1])
";

/// The code of an agent with these abilities. `sha`: the board has `hashlib`. `packed`: it has
/// `deflate`, so that less goes over the line.
pub(super) fn program(parts: Parts, sha: bool, packed: bool) -> Vec<u8> {
    let mut code = String::from(HEAD.trim_start());
    let mut add = |part: &str| code.push_str(part.trim_start_matches('\n'));
    add(if sha { SHA } else { CRC });
    let writes = parts.has(Parts::WRITE);
    if writes {
        add(INFLATE);
        add(WRITE_HEAD);
    } else {
        add(GREETING);
    }
    add(READ_FRAMES);
    if writes {
        add(DATA);
        // It stands behind `else`.
        add(&ORDER.replace("\n ", "\n  "));
    } else {
        add(ORDER);
    }
    for (part, text) in [
        (Parts::LOOK, LOOK),
        (Parts::WRITE, WRITE),
        (Parts::MANAGE, MANAGE),
        (Parts::READ, READ),
    ] {
        if parts.has(part) {
            add(text);
        }
    }
    add(TAIL);
    add(if writes { WRITE_END } else { END });
    if packed
        && code.len() <= 1 << PACKED_BITS
        && let Some(deflated) = deflated(code.as_bytes())
    {
        // No name stays, and the text is free again before the agent runs.
        return [
            b"exec(__import__('deflate').DeflateIO(__import__('io').BytesIO(b'",
            literal(&deflated).as_slice(),
            format!("'),1,{PACKED_BITS}).read())\n").as_bytes(),
        ]
        .concat();
    }
    code.into_bytes()
}

/// `bytes` between the quotes of a Python literal, of which MicroPython takes any other byte as it is: a third less than
/// Base64. What the raw REPL or a line's end would change is escaped.
fn literal(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8);
    for (index, &byte) in bytes.iter().enumerate() {
        let digit_follows = bytes.get(index + 1).is_some_and(u8::is_ascii_digit);
        match byte {
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\\' | b'\'' => out.extend([b'\\', byte]),
            0..=7 if digit_follows => out.extend(format!("\\{byte:03o}").bytes()),
            0..=7 => out.extend(format!("\\{byte:o}").bytes()),
            _ => out.push(byte),
        }
    }
    out
}

/// How far back the packed program refers, in bits: boards with little memory have room for so much.
const PACKED_BITS: u32 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_carries_only_its_parts() {
        let plain = |parts, sha| String::from_utf8(program(parts, sha, false)).expect("text");
        let look = plain(Parts::LOOK, true);
        let write = plain(Parts::LOOK.and(Parts::WRITE), true);
        assert!(look.contains("k in(78,66)") && !look.contains("k==79"));
        assert!(write.contains("k in(78,66)") && write.contains("k==79"));
        assert!(!write.contains("k==76") && !write.contains("crc32"));
        assert!(plain(Parts::LOOK, false).contains("crc32"));
    }

    #[test]
    fn it_is_packed_where_the_board_can_unpack_it() {
        let parts = Parts::LOOK.and(Parts::WRITE);
        let packed = program(parts, true, true);
        // What comes in front of every transfer on a slow line.
        assert!(packed.len() < 1640, "{}", packed.len());
        assert!(
            !packed[..packed.len() - 1]
                .iter()
                .any(|byte| *byte < 8 || b"\n\r".contains(byte))
        );
        let start = (packed.windows(2).position(|pair| pair == b"b'")).expect("a literal") + 2;
        let end = packed.len() - "'),1,12).read())\n".len();
        let mut back = Vec::with_capacity(1 << PACKED_BITS);
        flate2::Decompress::new(false)
            .decompress_vec(
                &read_literal(&packed[start..end]),
                &mut back,
                flate2::FlushDecompress::Finish,
            )
            .expect("raw deflate");
        assert_eq!(back, program(parts, true, false));
    }

    /// As Python does.
    fn read_literal(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = text.iter().copied().peekable();
        while let Some(byte) = rest.next() {
            if byte != b'\\' {
                assert_ne!(byte, b'\'');
                out.push(byte);
                continue;
            }
            out.push(match rest.next().expect("an escape") {
                b'n' => b'\n',
                b'r' => b'\r',
                digit @ b'0'..=b'7' => {
                    let mut value = u32::from(digit - b'0');
                    for _ in 0..2 {
                        if let Some(digit) = rest.next_if(|next| (b'0'..=b'7').contains(next)) {
                            value = value * 8 + u32::from(digit - b'0');
                        }
                    }
                    value as u8
                }
                other => other,
            });
        }
        out
    }

    #[test]
    fn every_byte_has_its_place_in_a_literal() {
        let mut bytes: Vec<u8> = (0..=255).collect();
        for byte in 0..=255 {
            bytes.extend([byte, b'0', byte, b'8', byte, 3, byte, b'\'']);
        }
        assert_eq!(read_literal(&literal(&bytes)), bytes);
    }
}
