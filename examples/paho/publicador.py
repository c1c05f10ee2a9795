# Publica cinco mensajes, uno por segundo, y acaba cuando el broker los ha confirmado.
import os
import sys
import time

from cliente import conectar
from config import TEMA

MENSAJES = 5


def main():
    cliente = conectar("publicador-{}".format(os.getpid()))
    # Un hilo aparte atiende la conexión mientras este espera.
    cliente.loop_start()
    try:
        for numero in range(1, MENSAJES + 1):
            envio = cliente.publish(TEMA, "mensaje {}".format(numero), qos=1)
            # publish() no espera: sin esta línea el programa podría acabar antes de que el mensaje salga.
            envio.wait_for_publish(timeout=10)
            if not envio.is_published():
                sys.exit("El broker no ha confirmado el mensaje {}".format(numero))
            print("Enviado: mensaje", numero, flush=True)
            time.sleep(1)
    finally:
        cliente.disconnect()
        cliente.loop_stop()


if __name__ == "__main__":
    main()
