# Lo que un programa de hace años hace antes que nada.
import upip

upip.install("micropython-umqtt.simple")
