# MQTT cifrado, con un broker que demuestra quién es: nadie lee por el camino ni se hace pasar por él.
import ssl
import time
from binascii import hexlify

import machine
import network
import ntptime
from umqtt.simple import MQTTClient

# Tu red Wi-Fi. Wokwi-GUEST es la de la placa simulada: existe siempre y no tiene contraseña.
RED = "Wokwi-GUEST"
CLAVE = ""

# El ordenador en el que está el broker, con un nombre o una dirección que esté en su certificado. La placa simulada está
# en ese ordenador; en una placa de verdad pon su dirección en la red.
BROKER = "localhost"

# El certificado de la autoridad que firma el del broker. Lo hace "umqtt broker --tls", que dice dónde está.
AUTORIDAD = "ca.der"

PLACA = hexlify(machine.unique_id()).decode()
TEMA = "umqtt/" + PLACA + "/secreto"


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


def poner_hora():
    # Un certificado vale entre dos fechas, y una placa recién encendida cree que es el año 2000.
    if time.gmtime()[0] < 2024:
        ntptime.settime()
    print("Son las {:02}:{:02} del {}-{:02}-{:02} (UTC)".format(*(time.gmtime()[i] for i in (3, 4, 0, 1, 2))))


def contexto():
    with open(AUTORIDAD, "rb") as fichero:
        certificado = fichero.read()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Sin esta línea iría cifrado igual, pero hacia quien fuera.
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(cadata=certificado)
    return tls


def main():
    conectar_wifi()
    poner_hora()
    try:
        tls = contexto()
    except OSError:
        print("Falta", AUTORIDAD, "en la placa: cópialo con umqtt fs cp")
        return
    cliente = MQTTClient("tls-" + PLACA, BROKER, port=8883, keepalive=60, ssl=tls)
    try:
        cliente.connect()
    except (OSError, ValueError) as error:
        # El motivo viene de mbedtls, entre finales de línea.
        print("No me fío del broker, o no está:", str(error).strip())
        return
    print("Conexión cifrada con", BROKER)
    print("Publico en", TEMA)
    cuenta = 0
    try:
        while True:
            cuenta += 1
            cliente.publish(TEMA.encode(), "secreto número {}".format(cuenta).encode(), qos=1)
            print("Enviado: secreto número", cuenta)
            time.sleep(2)
    finally:
        cliente.disconnect()


if __name__ == "__main__":
    main()
