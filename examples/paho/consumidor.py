# Muestra los mensajes de un tema hasta que se pulse Ctrl-C.
import os

from cliente import conectar
from config import TEMA


def al_conectar(cliente):
    # Aquí y no después de conectar(): así la suscripción también vuelve tras un corte.
    cliente.subscribe(TEMA, qos=1)
    print("Escucho", TEMA, flush=True)


def al_recibir(tema, mensaje):
    # El mensaje son bytes, y puede que no sean un texto.
    print("Recibido en", tema, "->", mensaje.decode(errors="replace"), flush=True)


def main():
    # Dos clientes con el mismo nombre se echan uno al otro; el número del proceso no se repite.
    cliente = conectar("consumidor-{}".format(os.getpid()), al_conectar, al_recibir)
    try:
        cliente.loop_forever()
    except KeyboardInterrupt:
        cliente.disconnect()


if __name__ == "__main__":
    main()
