# La temperatura de tu ciudad, preguntada a Open-Meteo y publicada; y las que publican los demás, en la pantalla.
import json
import time
from binascii import hexlify

import machine
import network
import requests
from umqtt.simple import MQTTClient

# Tu red Wi-Fi. Wokwi-GUEST es la de la placa simulada: existe siempre y no tiene contraseña.
RED = "Wokwi-GUEST"
CLAVE = ""

BROKER = "test.mosquitto.org"

# Toda la clase usa el mismo tema.
TEMA = b"temperatura_eoi"

# Dónde estás: en un mapa, pulsa en tu ciudad y copia los dos números.
LUGAR = "Madrid"
LATITUD = 40.42
LONGITUD = -3.70

# Open-Meteo calcula cada 15 minutos: preguntar más a menudo da lo mismo otra vez.
PAUSA_S = 900

URL = "https://api.open-meteo.com/v1/forecast?latitude={}&longitude={}&current=temperature_2m"

PLACA = hexlify(machine.unique_id()).decode()


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


def preguntar():
    # La respuesta es un JSON. Si la pregunta está mal, dice por qué en "reason".
    respuesta = requests.get(URL.format(LATITUD, LONGITUD), timeout=20)
    try:
        datos = respuesta.json()
    finally:
        # Cada conexión abierta ocupa memoria, y la placa tiene poca.
        respuesta.close()
    if respuesta.status_code != 200:
        raise ValueError(datos["reason"])
    return datos["current"]["temperature_2m"]


def al_recibir(tema, mensaje):
    # Un mensaje lo puede mandar cualquiera: si no es lo que se espera, se dice y se sigue.
    try:
        datos = json.loads(mensaje)
        # Con un decimal: la placa no guarda 9.3 sino algo como 9.300000000000001.
        print("En {} hay {:.1f} °C".format(datos["lugar"], datos["temperatura"]))
    except (ValueError, KeyError, TypeError):
        print("No lo entiendo:", mensaje)


def main():
    conectar_wifi()
    cliente = MQTTClient("temperatura-" + PLACA, BROKER, keepalive=60)
    cliente.set_callback(al_recibir)
    cliente.connect()
    cliente.subscribe(TEMA)
    print("Publico y escucho en", TEMA.decode())
    siguiente = time.ticks_ms()
    ultimo_ping = siguiente
    try:
        while True:
            ahora = time.ticks_ms()
            if time.ticks_diff(ahora, siguiente) >= 0:
                siguiente = time.ticks_add(ahora, PAUSA_S * 1000)
                try:
                    temperatura = preguntar()
                except (OSError, ValueError, KeyError) as error:
                    # Sin Internet o con una pregunta mal hecha no hay dato, pero la placa sigue.
                    print("Open-Meteo no da la temperatura:", error)
                else:
                    mensaje = {"lugar": LUGAR, "temperatura": temperatura}
                    cliente.publish(TEMA, json.dumps(mensaje).encode())
            if time.ticks_diff(ahora, ultimo_ping) > 30000:
                ultimo_ping = ahora
                cliente.ping()
            cliente.check_msg()
            time.sleep_ms(50)
    finally:
        cliente.disconnect()


if __name__ == "__main__":
    main()
