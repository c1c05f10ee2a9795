# Un botón que activa la alarma y, pulsado otra vez, la desactiva. El LED la muestra.
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
TEMA = "umqtt/" + PLACA + "/alarma"

PIN_BOTON = 0
PIN_LED = 2
REBOTE_MS = 30


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

def main():
    conectar_wifi()
    boton = machine.Pin(PIN_BOTON, machine.Pin.IN, machine.Pin.PULL_UP)
    led = machine.Pin(PIN_LED, machine.Pin.OUT, value=0)
    cliente = MQTTClient("alarma-" + PLACA, BROKER, keepalive=60)
    cliente.connect()
    print("Pulsa el botón: publico en", TEMA)
    activada = False
    estaba = boton.value()
    ultimo_ping = time.ticks_ms()
    try:
        while True:
            ahora = boton.value()
            if ahora != estaba:
                estaba = ahora
                if ahora == 0:
                    activada = not activada
                    led.value(activada)
                    mensaje = "Alarma activada" if activada else "Alarma desactivada"
                    # Retenido: quien se suscriba después sabe enseguida cómo está la alarma.
                    cliente.publish(TEMA.encode(), mensaje.encode(), retain=True)
                    print(mensaje)
                time.sleep_ms(REBOTE_MS)
            if time.ticks_diff(time.ticks_ms(), ultimo_ping) > 30000:
                ultimo_ping = time.ticks_ms()
                cliente.ping()
            cliente.check_msg()
            time.sleep_ms(5)
    finally:
        led.value(0)
        cliente.disconnect()


if __name__ == "__main__":
    main()
