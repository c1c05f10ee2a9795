//! The program on the board that makes a folder of this computer one of its own: a filesystem in Python whose every
//! operation is a request over the line.
//!
//! Names are short so that a slow line carries no more. The conversation is drawn in `mount`.

use crate::python::{bytes_literal, str_literal};

/// Requests: `T` sends one, `Q` waits for its answer and gives what is in it. Bytes that come before the answer were
/// typed by somebody and go back. Whatever ends an exchange before its time says so, and reads on until 0x1f, so that
/// nothing of an answer is left for the prompt. Another request from a callback in the middle of one is EBUSY.
const REQUESTS: &str = "
def _um(N,W,P):
 import sys,os,io,gc
 from binascii import a2b_base64 as A,b2a_base64 as E
 try:from binascii import crc32 as C
 except ImportError:C=sum
 try:import vfs as v
 except ImportError:v=os
 try:
  import time
  Y=946684800 if time.gmtime(0)[0]==2000 else 0
 except (ImportError,AttributeError):Y=0
 R=getattr(sys.stdin,'buffer',sys.stdin).readinto
 w=sys.stdout.write
 H=memoryview(bytearray(5))
 S=[0,0]
 D=['/']
 gc.collect()
 i=gc.mem_free()
 L=3072 if i>100000 else 768 if i>30000 else 384
 def B(n,k):return n.to_bytes(k,'little')
 def X(m):
  n=len(m)
  while n:n-=R(m[-n:])
 def T(k,b):
  b=N+bytes((S[0],k))+b
  w('\\x1eumqtt '+E(b+B(C(b)&0xffffffff,4)).decode()[:-1]+'\\x1f')
 def Q(k,b):
  if S[1]:raise OSError(16)
  S[1]=1
  S[0]=S[0]+1&255
  try:
   for a in range(6):
    try:
     T(k,b)
     t=b''
     while 1:
      X(H[:1])
      x=H[0]
      if x==30:break
      if x==31:raise ValueError
      if x==24:
       v.umount(P)
       raise OSError(19)
      if len(t)<256:t+=bytes(H[:1])
     X(H[1:])
     n=int(bytes(H[1:]).decode(),16)
     d=bytearray(n)
     m=memoryview(d)
     i=-5
     while i<n:
      j=min(n,i+W)
      X(m[max(i,0):j])
      w('\\x06')
      i=j
     d=A(d)
     if d[0]!=S[0] or B(C(d[:-4])&0xffffffff,4)!=d[-4:]:raise ValueError
     break
    except BaseException as e:
     T(65,b'')
     H[0]=0
     while H[0]!=31:X(H[:1])
     if not isinstance(e,ValueError):raise
   else:raise OSError(5)
   if t:T(84,t)
  finally:S[1]=0
  if d[1]:raise OSError(d[1])
  return d[2:-4]
";

/// Paths from the folder's root, without `.`, `..` and doubled slashes.
const PATHS: &str = "
 def p(x):
  if x[:1]!='/':x=D[0]+'/'+x
  y=[]
  for z in x.split('/'):
   if z=='..':
    if not y:raise OSError(13)
    y.pop()
   elif z and z!='.':y.append(z)
  x='/'.join(y)
  if '\\0' in x:raise OSError(22)
  return x
 def q(k,x,b=b''):return Q(k,p(x).encode()+b'\\0'+b)
";

/// Files. Nothing is kept open on the computer: a file is its path and a position. `b` from `i` on is read ahead, `p`
/// is the position behind it; `r` and `o` refuse to read and to write, `t` is for text.
const FILES: &str = "
 class F(io.IOBase):
  def __init__(s,x,m):
   s.a='/'+p(x)
   s.p=int(q(111,x,m.encode()))
   s.b=b''
   s.i=0
   s.t='b' not in m
   s.r='r' not in m and '+' not in m
   s.o='r' in m and '+' not in m
  def f(s,n):
   if s.r:raise OSError(9)
   if s.i>=len(s.b):
    s.b=q(114,s.a,B(s.p,8)+B(L,2))
    s.i=0
    s.p+=len(s.b)
   d=s.b[s.i:s.i+n]
   s.i+=len(d)
   return d
  def g(s):
   s.p-=len(s.b)-s.i
   s.b=b''
   s.i=0
  def read(s,n=-1):
   if n is None:n=-1
   l=[]
   while n:
    d=s.f(n if n>0 else L)
    if not d:break
    l.append(d)
    if n>0:n-=sum(x&192!=128 for x in d) if s.t else len(d)
   d=b''.join(l)
   if not s.t:return d
   while d and not n:
    x=s.f(1)
    if not x:break
    if x[0]&192!=128:
     s.i-=1
     break
    d+=x
   return d.decode()
  def readline(s,n=-1):
   if s.t:n=-1
   l=[]
   while n:
    d=s.f(L)
    if not d:break
    i=d.find(b'\\n')+1 or len(d)
    if 0<n<i:i=n
    s.i-=len(d)-i
    d=d[:i]
    l.append(d)
    n-=i if n>0 else 0
    if d[-1]==10:break
   d=b''.join(l)
   return d.decode() if s.t else d
  def readlines(s):return list(s)
  def readinto(s,m):
   m=memoryview(m)
   i=0
   while i<len(m):
    d=s.f(len(m)-i)
    if not d:break
    m[i:i+len(d)]=d
    i+=len(d)
   return i
  def write(s,d):
   if s.o:raise OSError(9)
   s.g()
   if isinstance(d,str):d=d.encode()
   d=memoryview(d)
   n=0
   while n<len(d):
    b=bytes(d[n:n+L])
    q(119,s.a,B(s.p,8)+b)
    s.p+=len(b)
    n+=len(b)
   return n
  def seek(s,o,h=0):
   s.g()
   if h:o+=s.p if h==1 else int(q(115,s.a).split()[1])
   if o<0:raise OSError(22)
   s.p=o
   return o
  def tell(s):return s.p-len(s.b)+s.i
  def flush(s):0
  def close(s):
   s.r=s.o=1
   s.b=b''
   s.i=0
  def ioctl(s,k,a):
   if k==4:s.close()
   return 256 if k==11 else 0 if k in(1,4) else -22
  def __enter__(s):return s
  def __exit__(s,*e):s.close()
  def __iter__(s):return s
  def __next__(s):
   l=s.readline()
   if not l:raise StopIteration
   return l
";

const FILESYSTEM: &str = "
 class M:
  def mount(s,r,k):0
  def umount(s):0
  def open(s,x,m):return F(x,m)
  def getcwd(s):return D[0]
  def chdir(s,x):
   if not s.stat(x)[0]&16384:raise OSError(20)
   D[0]='/'+p(x)
  def stat(s,x):
   if not p(x):return (16384,)+(0,)*9
   d=q(115,x).split()
   t=max(0,int(d[2])-Y)
   return (int(d[0])<<12,0,0,0,0,0,int(d[1]),t,t,t)
  def statvfs(s,x):
   b,n,f=(int(y) for y in q(118,x).split())
   return (b,b,n,f,f,0,0,0,0,255)
  def ilistdir(s,x):
   x='/'+p(x)
   i=0
   while 1:
    d=q(108,x,B(i,4)+B(L,2))
    if not d:return
    for e in d.split(b'\\0')[:-1]:
     i+=1
     z=e.find(b' ')
     yield (e[z+1:].decode(),int(e[:1])<<12,0,int(e[1:z]))
  def mkdir(s,x):q(100,x)
  def remove(s,x):q(120,x)
  def rmdir(s,x):q(121,x)
  def rename(s,x,y):q(109,x,p(y).encode())
 try:v.umount(P)
 except OSError:0
 v.mount(M(),P)
 os.chdir(P)
";

/// Code that mounts. `session` names this mount in every request; the board acknowledges every `unit` bytes.
pub(super) fn mount(session: [u8; 3], unit: usize, point: &str) -> String {
    let mut code = String::new();
    for part in [REQUESTS, PATHS, FILES, FILESYSTEM] {
        code.push_str(part.trim_start_matches('\n'));
    }
    let (session, point) = (bytes_literal(&session), str_literal(point));
    code.push_str(&format!(
        "try:_um({session},{unit},{point})\nfinally:del _um\n"
    ));
    code
}

/// Code that takes it back; no error where it is gone already.
pub(super) fn unmount(point: &str) -> String {
    let point = str_literal(point);
    format!(
        "def _um():\n import os\n try:import vfs as v\n except ImportError:v=os\n \
         if os.getcwd().startswith({point}):os.chdir('/')\n \
         try:v.umount({point})\n except OSError:0\ntry:_um()\nfinally:del _um\n"
    )
}

/// Code that prints 1 where it is still there.
pub(super) fn still(point: &str) -> String {
    let point = str_literal(point);
    format!(
        "def _um():\n import os\n try:print(len(os.stat({point})))\n except OSError:print(0)\ntry:_um()\nfinally:del _um\n"
    )
}
