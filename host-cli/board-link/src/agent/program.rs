//! The agent's program: the Python that runs on the board while files are looked at or moved.
//!
//! It is put together from the parts that a task needs, so that a slow line carries no more. Names
//! are short for the same reason. The frames that it reads are drawn in `agent`.

/// What an agent can do; a set of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts(u8);

impl Parts {
    /// Saying what paths are: `N`.
    pub(crate) const LOOK: Parts = Parts(1);
    /// Writing files, making folders, free space: `O`, `D`, `Z`, `C`, `X`, `M`, `S`.
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

/// `U` throws an unfinished file away, `X` fills a buffer from the line, a frame in units of `W` bytes is acknowledged with 0x06 each.
/// A reply is a line that starts with 0x1f. The first one is `I`: how many bits the size of a block
/// may have, by the free memory, and whether blocks may be deflated.
const HEAD: &str = "
def _ua(W):
 import sys,os,gc
 R=getattr(sys.stdin,'buffer',sys.stdin).readinto
 w=sys.stdout.write
 B=memoryview(bytearray(1024))
 H=memoryview(bytearray(7))
 f=P=None
 Z=V=0
 def X(m):
  n=len(m)
  while n:n-=R(m[-n:])
 def U(f,P):
  if f:
   f.close()
   try:os.remove(P)
   except OSError:0
";

const READ_FRAMES: &str = "
 gc.collect()
 i=gc.mem_free()
 L=13 if i>80000 else 12 if i>40000 else 10
 w('\\x1fI%d %d\\n'%(L,1 if Z else 0))
 try:
  while 1:
   X(H)
   k,c,n,p,q,r,s=H
   if k^c^n^p^q^r|128!=s:raise ValueError
   n=(c&127)<<7|n&127
   b=bytearray(n)
   m=memoryview(b)
   i=-7
   while i<n:
    j=min(n,i+W)
    X(m[max(i,0):j])
    w('\\x06')
    i=j
   m=0
   if p:b=bytes(b).replace(bytes((p,q)),b'\\3').replace(bytes((p,r)),b'\\r')
   try:
    if k==68 or k==90:
     if f:
      if k==68:
       if f.write(b)!=len(b):raise OSError(28)
      else:
       d=Z(V(b),1,L)
       while 1:
        i=d.readinto(B)
        if not i:break
        if f.write(B[:i])!=i:raise OSError(28)
       d=0
     continue
    c=7
    for x in b[:-6]:c=(c*31+x)&0xffffff
    a=bytes(b).decode()
    if '%06x'%c!=a[-6:]:raise ValueError
    a=a[:-6].split('\\0')
    if k==81:return
";

const TAIL: &str = "
    w('\\x1fK\\n')
   except (OSError,MemoryError) as e:
    w('\\x1fE%s\\n'%(e.args[0] if isinstance(e,OSError) else 12))
    f=U(f,P)
 finally:U(f,P)
";

/// `Y(file)`: size and SHA-256 of what is left in a file.
const SHA: &str = "
 from hashlib import sha256
 def Y(f):
  h=sha256()
  n=0
  while 1:
   i=f.readinto(B)
   if not i:return '%d s%s'%(n,''.join('%02x'%x for x in h.digest()))
   n+=i
   h.update(B[:i])
";

/// `Y(file)` for boards without `hashlib`: size and CRC-32, where need be by half bytes.
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
 def Y(f):
  n=h=0
  while 1:
   i=f.readinto(B)
   if not i:return '%d c%08x'%(n,h&0xffffffff)
   n+=i
   h=u(B[:i],h)
";

/// Inflating, where the firmware has it (MicroPython 1.21 and later).
const INFLATE: &str = "
 try:
  from deflate import DeflateIO as Z
  from io import BytesIO as V
 except ImportError:0
";

const LOOK: &str = "
    if k==78:
     for x in a:
      try:
       if os.stat(x)[0]&16384:w('\\x1fD\\n')
       else:
        with open(x,'rb') as g:w('\\x1fF%s\\n'%Y(g))
      except OSError as e:w('\\x1fE%s\\n'%e.args[0])
";

/// `O` target, temporary name; `C` target, size and checksum of what must have arrived.
const WRITE: &str = "
    if k==79:
     P=a[1]
     try:
      if os.stat(a[0])[0]&16384:raise OSError(21)
     except OSError as e:
      if e.args[0]!=2:raise
     f=open(P,'wb')
     continue
    if k==67:
     if not f:raise OSError(5)
     f.close()
     with open(P,'rb') as g:x=Y(g)
     if x==a[1]:
      os.rename(P,a[0])
      if hasattr(os,'sync'):os.sync()
     else:
      os.remove(P)
      w('\\x1fH\\n')
     f=0
    if k==88:f=U(f,P)
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
      w('\\x1fF%s\\n'%Y(g))
";

/// Code that starts an agent with these abilities, which acknowledges every `unit` bytes. `sha`:
/// the board has `hashlib`.
pub(crate) fn program(parts: Parts, sha: bool, unit: usize) -> String {
    let mut code = String::from(HEAD.trim_start());
    let mut add = |part: &str| code.push_str(part.trim_start_matches('\n'));
    if parts.has(Parts::LOOK) || parts.has(Parts::WRITE) || parts.has(Parts::READ) {
        add(if sha { SHA } else { CRC });
    }
    if parts.has(Parts::WRITE) {
        add(INFLATE);
    }
    add(READ_FRAMES);
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
    code.push_str(&format!("try:_ua({unit})\nfinally:del _ua\n"));
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_carries_only_its_parts() {
        let look = program(Parts::LOOK, true, 128);
        let write = program(Parts::LOOK.and(Parts::WRITE), true, 128);
        assert!(look.contains("k==78") && !look.contains("k==67"));
        assert!(write.contains("k==78") && write.contains("k==67"));
        assert!(!write.contains("k==76") && !write.contains("crc32"));
        assert!(program(Parts::LOOK, false, 32).contains("crc32"));
        assert!(look.ends_with("try:_ua(128)\nfinally:del _ua\n"));
        // What comes in front of every transfer on a slow line.
        assert!(
            look.len() < 1750 && write.len() < 2700,
            "{} {}",
            look.len(),
            write.len()
        );
    }
}
