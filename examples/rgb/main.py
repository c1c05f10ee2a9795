# Un LED RGB que toma el color del último mensaje: {"r": 255, "g": 0, "b": 0} es rojo.
import json
import time
from binascii import hexlify

import machine
import network
from umqtt.simple import MQTTClient

# Tu red Wi-Fi. Wokwi-GUEST es la de la placa simulada: existe siempre y no tiene contraseña.
RED = "Wokwi-GUEST"
CLAVE = ""

BROKER = "test.mosquitto.org"

PLACA = hexlify(machine.unique_id()).decode()
TEMA = "umqtt/" + PLACA + "/color"

# Un LED RGB son tres LED con una pata en común. Aquí la común va a masa (cátodo común); si la tuya va a 3,3 V (ánodo
# común), pon ANODO_COMUN = True y los colores se invierten.
PINES = {"r": 25, "g": 26, "b": 27}
ANODO_COMUN = False


def conectar_wifi():
    wifi = network.WLAN(network.STA_IF)
    wifi.active(True)
    if not wifi.isconnected():
        print("Conectando con la red", RED)
        wifi.connect(RED, CLAVE)
        inicio = time.ticks_ms()
        while not wifi.isconnected():
            if time.ticks_diff(time.ticks_ms(), inicio) > 15000:
                raise OSError("la red " + RED + " no responde: revisa RED y CLAVE")
            time.sleep_ms(100)
    print("Conectada, mi dirección es", wifi.ifconfig()[0])


def comprobar(color):
    for nombre in PINES:
        valor = color[nombre]
        if not isinstance(valor, int) or not 0 <= valor <= 255:
            raise ValueError(nombre + " no es un número de 0 a 255")


def pintar(leds, color):
    # Cada valor va de 0 a 255; PWM enciende y apaga el LED mil veces por segundo, y el ojo ve el promedio.
    for nombre, led in leds.items():
        led.duty_u16((255 - color[nombre] if ANODO_COMUN else color[nombre]) * 257)


def main():
    conectar_wifi()
    leds = {nombre: machine.PWM(machine.Pin(pin), freq=1000, duty_u16=0) for nombre, pin in PINES.items()}
    pintar(leds, {"r": 0, "g": 0, "b": 0})

    def al_recibir(tema, mensaje):
        # Un mensaje lo puede mandar cualquiera: si no es un color, se dice y se sigue.
        try:
            color = json.loads(mensaje)
            comprobar(color)
        except (ValueError, KeyError, TypeError) as error:
            print("No es un color:", mensaje, "-", error)
            return
        pintar(leds, color)
        print("Color:", color["r"], color["g"], color["b"])

    cliente = MQTTClient("rgb-" + PLACA, BROKER, keepalive=60)
    cliente.set_callback(al_recibir)
    cliente.connect()
    cliente.subscribe(TEMA.encode())
    print("Espero colores en", TEMA)
    ultimo_ping = time.ticks_ms()
    try:
        while True:
            cliente.check_msg()
            if time.ticks_diff(time.ticks_ms(), ultimo_ping) > 30000:
                ultimo_ping = time.ticks_ms()
                cliente.ping()
            time.sleep_ms(20)
    finally:
        for led in leds.values():
            led.deinit()
        cliente.disconnect()


if __name__ == "__main__":
    main()
