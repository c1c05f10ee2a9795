# Mide la temperatura y la humedad con un sensor DHT22 y las publica juntas.
import json
import time
from binascii import hexlify

import dht
import machine
import network
from umqtt.simple import MQTTClient

# Tu red Wi-Fi. Wokwi-GUEST es la de la placa simulada: existe siempre y no tiene contraseña.
RED = "Wokwi-GUEST"
CLAVE = ""

BROKER = "test.mosquitto.org"

PLACA = hexlify(machine.unique_id()).decode()
TEMA = "umqtt/" + PLACA + "/clima"

PIN_DHT = 15

# El DHT22 tarda dos segundos en tener una medida nueva: antes, repite la anterior.
PAUSA_MS = 2000


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
    sensor = dht.DHT22(machine.Pin(PIN_DHT))
    cliente = MQTTClient("dht22-" + PLACA, BROKER, keepalive=60)
    cliente.connect()
    print("Publico en", TEMA)
    try:
        while True:
            try:
                sensor.measure()
            except OSError:
                # Un cable flojo no debe parar el programa.
                print("El sensor no responde: revisa los cables y el pin", PIN_DHT)
                cliente.ping()
            else:
                medida = {"temperatura": sensor.temperature(), "humedad": sensor.humidity()}
                cliente.publish(TEMA.encode(), json.dumps(medida).encode())
                print("Temperatura:", medida["temperatura"], "°C  Humedad:", medida["humedad"], "%")
            time.sleep_ms(PAUSA_MS)
    finally:
        cliente.disconnect()


if __name__ == "__main__":
    main()
