# Como suscribirse, con asyncio: nadie llama a check_msg(); los mensajes llegan mientras las tareas esperan.
import asyncio
import time
from binascii import hexlify

import machine
import network
from umqtt.aio import MQTTClient

# Tu red Wi-Fi. Wokwi-GUEST es la de la placa simulada: existe siempre y no tiene contraseña.
RED = "Wokwi-GUEST"
CLAVE = ""

BROKER = "test.mosquitto.org"

# El número de serie de la placa: con él tus temas no se mezclan con los de otra persona.
PLACA = hexlify(machine.unique_id()).decode()
TEMA_SALUDO = "umqtt/" + PLACA + "/saludo"
# El signo # vale por todo lo que venga detrás.
FILTRO = "umqtt/" + PLACA + "/#"

cliente = MQTTClient("suscribirse-" + PLACA, BROKER, keepalive=60, reconnect=True)


async def conectar_wifi():
    wifi = network.WLAN(network.STA_IF)
    wifi.active(True)
    if not wifi.isconnected():
        print("Conectando con la red", RED)
        wifi.connect(RED, CLAVE)
        inicio = time.ticks_ms()
        while not wifi.isconnected():
            if time.ticks_diff(time.ticks_ms(), inicio) > 15000:
                raise OSError("la red " + RED + " no responde: revisa RED y CLAVE")
            await asyncio.sleep_ms(100)
    print("Conectada, mi dirección es", wifi.ifconfig()[0])


def al_recibir(tema, mensaje):
    # Una función de las de siempre. Los dos llegan como bytes; decode() los convierte en texto.
    print("Recibido en", tema.decode(), "->", mensaje.decode())


async def main():
    await conectar_wifi()
    cliente.set_callback(al_recibir)
    await cliente.connect()
    await cliente.subscribe(FILTRO)
    print("Escucho", FILTRO)
    saludos = 0
    while True:
        await asyncio.sleep(3)
        saludos += 1
        await cliente.publish(TEMA_SALUDO, "Hola número {}".format(saludos))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    finally:
        # También cuando se pulsa Ctrl-C: así el broker sabe que nos vamos. Las tareas ya no andan entonces, así que se
        # despide el cliente sin asyncio que hay debajo.
        if cliente.core.sock:
            cliente.core.disconnect()
