# Como publicar, con asyncio: mientras una tarea publica una temperatura cada dos segundos, otra hace parpadear el LED.
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

# El número de serie de la placa: con él tu tema no se mezcla con el de otra persona.
PLACA = hexlify(machine.unique_id()).decode()
TEMA = "umqtt/" + PLACA + "/temperatura"

cliente = MQTTClient("publicar-" + PLACA, BROKER, keepalive=60)


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


async def parpadear():
    led = machine.Pin(2, machine.Pin.OUT)
    while True:
        led.value(not led.value())
        await asyncio.sleep_ms(250)


async def main():
    await conectar_wifi()
    await cliente.connect()
    asyncio.create_task(parpadear())
    print("Publico en", TEMA)
    temperatura = 21.0
    while True:
        # Una medida inventada: sube o baja un poco cada vez.
        temperatura += random.choice((-0.5, 0.0, 0.5))
        mensaje = "{:.1f}".format(temperatura)
        await cliente.publish(TEMA, mensaje, qos=1)
        print("Enviado:", mensaje)
        await asyncio.sleep(2)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    finally:
        # También cuando se pulsa Ctrl-C: así el broker sabe que nos vamos. Las tareas ya no andan entonces, así que se
        # despide el cliente sin asyncio que hay debajo.
        if cliente.core.sock:
            cliente.core.disconnect()
