# Tres cosas a la vez, sin que ninguna espere a otra: publicar una temperatura, parpadear y atender órdenes.
import asyncio
import random
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
TEMA = "umqtt/" + PLACA + "/temperatura"
TEMA_RITMO = "umqtt/" + PLACA + "/ritmo"

PIN_LED = 2

# Milisegundos entre cada cambio del LED; una orden por MQTT lo cambia.
ritmo = 250

# reconnect: si se corta la conexión, el cliente vuelve a conectar y a suscribirse él solo.
cliente = MQTTClient("asincrono-" + PLACA, BROKER, keepalive=60, reconnect=True)


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
    # Una función de las de siempre. Un mensaje lo puede mandar cualquiera: si no es un número, se dice y se sigue.
    global ritmo
    try:
        nuevo = int(mensaje)
    except ValueError:
        nuevo = 0
    if not 20 <= nuevo <= 5000:
        print("No es un ritmo de 20 a 5000:", mensaje)
        return
    ritmo = nuevo
    print("Ritmo:", ritmo)


async def parpadear():
    led = machine.Pin(PIN_LED, machine.Pin.OUT)
    while True:
        led.value(not led.value())
        await asyncio.sleep_ms(ritmo)


async def publicar():
    temperatura = 21.0
    while True:
        # Una medida inventada: sube o baja un poco cada vez.
        temperatura += random.choice((-0.5, 0.0, 0.5))
        mensaje = "{:.1f}".format(temperatura)
        await cliente.publish(TEMA, mensaje, qos=1)
        print("Enviado:", mensaje)
        await asyncio.sleep(2)


async def main():
    await conectar_wifi()
    cliente.set_callback(al_recibir)
    await cliente.connect()
    await cliente.subscribe(TEMA_RITMO)
    print("Publico en", TEMA)
    print("Espero el ritmo en", TEMA_RITMO)
    # Las dos tareas no acaban nunca; si una falla, acaba el programa y se ve por qué.
    await asyncio.gather(parpadear(), publicar())


if __name__ == "__main__":
    try:
        asyncio.run(main())
    finally:
        # También cuando se pulsa Ctrl-C: así el broker sabe que nos vamos. Las tareas ya no andan entonces, así que se
        # despide el cliente sin asyncio que hay debajo.
        if cliente.core.sock:
            cliente.core.disconnect()
